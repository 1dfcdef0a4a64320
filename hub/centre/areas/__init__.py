"""Areas: one alert for what hits many homes of a zone at once, over the alerts of their gateways."""
