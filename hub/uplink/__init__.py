"""What gateway and centre say to one another over MQTT; the only place where the two meet besides the store."""
