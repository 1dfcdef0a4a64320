"""The texts that live.js shows, in one language: they lie beside the templates' own, in the same catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.look.words import Language, mark, say

TEXTS: Mapping[str, str] = {
    "live": mark("Live"),
    "delayed": mark("Delayed %(n)s s"),
    "offline": mark("Offline"),
    "connecting": mark("Connecting …"),
    "lost": mark("Connection lost."),
    "lost_age": mark("What you see is %(n)s seconds old. New alarms are NOT shown."),
    "lost_phone_list": mark("Use the phone alarm list."),
    "duty_phone": mark("Duty phone %(no)s"),
    "try_again": mark("Try again"),
    "out": mark("You are signed out – no alarms here"),
    "sign_in": mark("Sign in"),
    "bye": mark("Updating, back in about 1 min"),
    "tabs": mark("Too many tabs – close some."),
    "silent": mark("The sensors are silent"),
    "silent_more": mark(
        "Nothing has been heard from any home since %(time)s. Alarms may be missing. Follow the routine for outages."
    ),
    "left": mark("You will be signed out in %(n)s s."),
    "stay": mark("Stay signed in"),
    "skew": mark("The clock of this device differs from the centre's by %(n)s s."),
    "sound_off": mark("Sound is off"),
    "sound_on": mark("Sound is on"),
    "sound_muted": mark("Muted %(time)s"),
    "now": mark("now"),
    "min": mark("%(n)s min"),
    "h": mark("%(n)s h"),
    "d": mark("%(n)s d"),
    "next": mark("next: %(who)s in %(time)s"),
    "next_now": mark("next: %(who)s now"),
    "pill": mark("Show new order (%(n)s)"),
    "waiting": mark("Waiting for an answer …"),
    "no_answer_take": mark("No answer. The alarm is NOT taken. Try again."),
    "no_answer": mark("No answer. Nothing was done. Try again."),
    "no_answer_door": mark(
        "No answer from the centre. Nothing was asked of the lock, as far as is known. Try again, or use the key box."
    ),
    "door_offline": mark("Connection lost. Nothing is unlocked or locked from here now."),
    "cancel": mark("Cancel"),
    "close": mark("Close"),
    "undo": mark("Undo"),
    "resolve": mark("Close …"),
    "open": mark("Open"),
    "counts": mark("Untaken: %(p1)s critical, %(p2)s warnings, %(p3)s notices."),
    "new_p1": mark("New critical alarm:"),
    "updated": mark("Updated %(time)s"),
    "empty": mark("No open alarms. Last updated %(time)s."),
    "empty_work": mark("Nothing on the work list. Last updated %(time)s."),
    "no_match": mark("No alarms match the filter. %(n)s others are open."),
    "outside": mark("%(n)s critical outside the filter"),
}


def script_texts(language: Language) -> dict[str, str]:
    """All of them, translated, with their `%(name)s` left open for the page."""
    return {name: say(language, text) for name, text in TEXTS.items()}
