"""Tables, figures and pages from records. Never measures."""
