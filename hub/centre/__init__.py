"""The municipality's side: alerts and the people who answer them (DESIGN.md sections 1, 5 and 6)."""
