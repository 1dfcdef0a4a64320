"""An empty centre, and a registry file with the cast."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.engine import Store, open_store, sqlite_url

FILE = """\
format: trygghub-registry-1
municipality: {name: Trygdal, duty_phone: "+4755001122", timers: {lapse_critical: 240}}
districts: {dal: {name: Dal}}
zones:
  nord: {name: Nord, district: dal}
  sor: {name: Sør, district: dal}
teams: {team-nord: {name: Team Nord, zones: [nord, sor]}}
staff:
  nils: {name: Nils, phone: "+4790000001", roles: [nurse], teams: [team-nord]}
  eva: {name: Eva, roles: [coordinator], teams: [team-nord]}
shifts:
  - {team: team-nord, staff: nils, duty: nurse, from: "22:00", to: "07:00"}
  - {team: team-nord, staff: eva, duty: nurse, from: 7:00, to: 22:00}
chains:
  gentle:
    - {after: 0 s, tell: nurse on duty}
    - {after: 1 h 30 min, tell: alarm centre}
homes:
  h1: {address: Storgata 1, zone: nord, gateway: gw1, key_box: "4711", notes: Ring to ganger}
  h2: {address: Lillegata 2, zone: sor, tz: Europe/Stockholm}
residents:
  astrid:
    home: h1
    name: Astrid
    next_of_kin: [{name: Kari, relation: datter, phone: "+4790000009"}]
    warnings: [Hund]
    parameters: {dose_time: 60 min, at_home: true, limit: 7.5}
gateways: {gw1: {name: Boks 1, since: 2026-01-01T00:00:00Z}}
devices:
  lock-1:
    {home: h1, class: lock, type: native_lock, link: mqtt, address: h1/lock-1, room: gang,
     since: 2026-01-02T09:00:00+01:00}
  pendant-1:
    {home: h1, class: pendant, type: bthome_pendant, link: ble, address: "c0:7a:10:00:00:11", secret: p.key,
     since: 2026-01-02T08:00:00Z}
"""


@pytest.fixture
def file() -> str:
    """A registry file without faults."""
    return FILE


@pytest.fixture
async def store(empty_centre: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty centre's database."""
    import shutil

    if not empty_centre.exists():
        made = await open_store(sqlite_url(empty_centre), "centre")
        await made.close()
    shutil.copy(empty_centre, tmp_path / "centre.db")
    opened = await open_store(sqlite_url(tmp_path / "centre.db"), "centre")
    yield opened
    await opened.close()
