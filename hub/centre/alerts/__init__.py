"""Something a person must answer: its life cycle, its deadlines, and the desk where people act on it."""
