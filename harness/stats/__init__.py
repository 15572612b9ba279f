"""Numbers from numbers: intervals, paired verdicts, warm-up, change points, the gate. Reads no files."""
