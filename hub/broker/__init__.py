"""The MQTT broker as a port with three back ends: a nats-server child, a Mosquitto child, any broker by URL.

A broker is transport and may lose messages; what we rely on is little, and `check` asks for it at start.
"""
