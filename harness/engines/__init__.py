"""What can be measured: our core, the peers, and a scripted engine that tests the runner."""
