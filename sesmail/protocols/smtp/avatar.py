"""What cred's realm is asked for when somebody logs in to submit messages."""

from __future__ import annotations

from zope.interface import Interface


class ISubmission(Interface):
    """Names the avatar, which is a `sesmail.interfaces.Submission`; what that can do is said there."""
