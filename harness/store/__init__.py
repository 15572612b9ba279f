"""Records on disk, the index over them, and other projects' result formats, in and out."""
