"""The frozen records that flow between the stages: config → cases → runner → records → stats → report."""
