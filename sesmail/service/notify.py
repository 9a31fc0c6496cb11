"""What the init system is told: systemd's notices, as sd_notify(3) has them."""

from __future__ import annotations


class Silent:
    """Tells nobody: where no one asked, and in a process that another one speaks for."""

    def reloading(self) -> None:
        """A reload begins."""

    def ready(self) -> None:
        """The service serves, or a reload has ended."""
