"""``python -m backsight``: the command line."""

from backsight.cli.main import main

main()
