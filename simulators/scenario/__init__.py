"""A scenario: homes, their residents' day, incidents at clock times, and the alerts a tester expects of them."""
