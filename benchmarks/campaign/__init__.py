"""A campaign against everything that may befall a run: kills, signals, failing disks, several processes, bad input."""
