"""Native MQTT devices: they speak the published contract and repeat an event until the hub has acknowledged it."""
