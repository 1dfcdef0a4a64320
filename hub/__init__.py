"""REMEMBER AND ACT: all state, all time, all outside contact."""
