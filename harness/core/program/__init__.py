"""What a model computes, as a flat tuple of operations that every backend executes as it stands.

`build.build_program` makes it, `costs` counts it, `show.format_program` prints it; `op` holds the records.
"""
