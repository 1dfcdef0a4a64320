"""What gateway and centre say to one another over MQTT; their only meeting place besides the store."""
