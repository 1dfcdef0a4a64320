"""The 23 alerts that a medicine dispenser has in Norway's VKP code system, `vkp-alert-code-v090` 1.1 to 1.23.

The codes are those of the national specification, the words are ours. Which facts carry a code stands with the facts
themselves (`FactSpec.vkp`); 1.20, no contact, is nothing that a dispenser could report: silence is a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.catalogue.spec import Words
from drivers.catalogue.writing import words

SILENCE = "1.20"
"""The one code that no fact carries."""

DISPENSER_ALERTS: Mapping[str, Words] = MappingProxyType(
    {
        "1.1": words("dose ikke tatt ut", "not dispensed"),
        "1.2": words("dose stoppet, tom for medisin", "dispensing prevented, out of medicine"),
        "1.3": words("ingen bekreftelse på dosen (usikkert)", "no dispensing confirmation (uncertain)"),
        "1.4": words("melding ikke lest", "message not read"),
        "1.5": words("teknisk feil, utdelingen stoppet", "technical fault, dispensing stopped"),
        "1.6": words("dosepose ikke lest", "pouch not read"),
        "1.7": words("feil med rullen", "roll fault"),
        "1.8": words("rullen har kjørt seg fast", "roll jammed"),
        "1.9": words("skuffen for utelatt medisin er full", "drawer for skipped medicine full"),
        "1.10": words("medisin venter", "medicine waiting"),
        "1.11": words("ikke nok til den planlagte turen", "not enough for the planned trip"),
        "1.12": words("nesten tom", "nearly empty"),
        "1.13": words("tom", "empty"),
        "1.14": words("mangler plan", "no schedule"),
        "1.15": words("kontroller planen etter endring på apoteket", "check plan after pharmacy change"),
        "1.16": words("rullen er håndtert", "roll handled"),
        "1.17": words("lavt batteri", "battery low"),
        "1.18": words("tomt batteri, enheten slo seg av", "battery empty, unit shut down"),
        "1.19": words("ikke på nettstrøm", "not on mains"),
        "1.20": words("ingen kontakt", "no contact with dispenser"),
        "1.21": words("åpen", "dispenser open"),
        "1.22": words("forsøk på innbrudd", "break-in attempt"),
        "1.23": words("står skjevt", "misplaced (tilted)"),
    }
)
"""Code → what it says."""
