"""Write a look at a resident's details into the audit trail, before the page is made."""

from __future__ import annotations

from dashboard.auth.sessions import Viewer
from dashboard.web import Web
from hub.centre import audit


async def look(web: Web, viewer: Viewer, where_from: str, action: str, *, home: str, subject: str) -> None:
    """Write down that this person looks at this now. If it cannot be written, nothing is shown: it raises."""
    if not web.looks.is_new(viewer.session, action, subject, web.real.now()):
        return
    deed = audit.Deed(
        at=web.now(),
        actor=viewer.actor.staff,
        action=action,
        home=home,
        subject=subject,
        origin=where_from,
    )
    try:
        async with web.store.writing() as session:
            await audit.write(session, deed)
    except BaseException:
        web.looks.forget(viewer.session, action, subject)
        raise
