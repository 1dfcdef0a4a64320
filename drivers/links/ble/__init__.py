"""Bluetooth LE: the bleak backend on bumble, and what the BLE link is made of.

`drivers.links.ble_link` is the link itself. Which radio it drives is a setting, see `radio.open_radio`.
"""
