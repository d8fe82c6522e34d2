"""What trains or measures besides the grid: propagation at initialisation, probes, transfer, the champion again."""
