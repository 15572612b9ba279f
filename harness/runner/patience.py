"""How long a worker may take: per phase, per case, and without a sign of work. Slow is told from stuck here."""

from dataclasses import dataclass

from harness.runner.events import Event, Heartbeat

S = 1_000_000_000


@dataclass(frozen=True)
class Patience:
    """Bounds in nanoseconds. `stall_ns`: without an event, CPU time or bytes read, a worker counts as stuck.

    `grace_ns` lies between SIGINT, SIGTERM and SIGKILL; after `reap_ns` more even SIGKILL is given up on.
    """

    start_ns: int = 120 * S
    close_ns: int = 60 * S
    stall_ns: int = 120 * S
    grace_ns: int = 5 * S
    reap_ns: int = 30 * S

    def phase_ns(self, phase: str, case_ns: int) -> int:
        """The bound of `phase` in a case of `case_ns`: loading or proving may not eat what is meant for measuring."""
        shares = {"load": case_ns // 2, "equivalence": case_ns // 4}
        fixed = {"start": self.start_ns, "close": self.close_ns}
        return min(fixed.get(phase, shares.get(phase, case_ns)), case_ns)


LEAST_CPU_NS = 20_000_000
LEAST_BYTES = 64 << 10
"""Per heartbeat, about a second: what heartbeat and telemetry use themselves stays far below."""


class Watch:
    """The clocks of one worker. Times come in from outside, so a test needs none of its own."""

    def __init__(self, patience: Patience, case_ns: int, now_ns: int) -> None:
        self._patience = patience
        self._case_ns = case_ns
        self._begin_ns = self._phase_ns = self._alive_ns = self._beat_ns = now_ns
        self._last = Heartbeat(0, 0)
        self.phase = "start"

    def enter(self, phase: str, now_ns: int) -> None:
        """A new phase: its own clock starts."""
        self.phase, self._phase_ns = phase, now_ns

    def note(self, event: Event, now_ns: int) -> None:
        """Any event is a sign of life; a heartbeat only if something was done since the one before."""
        if not isinstance(event, Heartbeat):
            self._alive_ns = now_ns
            return
        worked = event.cpu_ns - self._last.cpu_ns >= LEAST_CPU_NS
        if worked or event.read_bytes - self._last.read_bytes >= LEAST_BYTES:
            self._alive_ns = now_ns
        self._beat_ns, self._last = now_ns, event

    def over(self, now_ns: int) -> str:
        """Why the worker must be ended now, in words; empty while it may go on."""
        for limit_ns, begin_ns, what in self._bounds():
            if now_ns - begin_ns >= limit_ns:
                return f"{what} took over {limit_ns / S:.4g} s: {self._manner(now_ns)}"
        if now_ns - self._alive_ns >= self._patience.stall_ns:
            return f"stuck in {self.phase}: {self._manner(now_ns)}"
        return ""

    def left_ns(self, now_ns: int) -> int:
        """Until `over` may next say something."""
        ends = [begin_ns + limit_ns for limit_ns, begin_ns, _ in self._bounds()]
        return max(0, min(*ends, self._alive_ns + self._patience.stall_ns) - now_ns)

    def _bounds(self) -> tuple[tuple[int, int, str], ...]:
        phase_ns = self._patience.phase_ns(self.phase, self._case_ns)
        return ((phase_ns, self._phase_ns, f"phase {self.phase}"), (self._case_ns, self._begin_ns, "the case"))

    def _manner(self, now_ns: int) -> str:
        silent, idle = (now_ns - self._beat_ns) / S, (now_ns - self._alive_ns) / S
        if silent > 3:
            return f"not even a heartbeat for {silent:.0f} s"
        if idle > 3:
            return f"alive, but it used no CPU and read nothing for {idle:.0f} s"
        return "it was still working, so it is slow rather than stuck; give it a longer deadline or less to do"
