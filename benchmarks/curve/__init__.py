"""The learning curve in the README."""
