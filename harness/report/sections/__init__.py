"""One module per topic of the report; each turns a group of records, or all of them, into at most one section."""
