"""Draws on both displays and keeps ENTER dead right after the operator's screen changed (screens.md section 3)."""

from collections.abc import Callable, Mapping

from pos_agent.domain.clock import Clock
from pos_agent.domain.screen import Screen
from pos_agent.workflow.model import Context, Facts, Rules
from pos_agent.workflow.ports import DisplayPort
from pos_agent.workflow.states import DEAD_TIME_S, DEAD_TIMES_S, State
from pos_agent.workflow.views import render, render_stopped
from pos_agent.workflow.views.customer import render_customer, render_customer_stopped


class Curtain:
    """The screens of the till.

    Attributes:
        view: Name of the view on the operator display.
        enter_alive_at_s: Monotonic time from which ENTER counts again.
    """

    def __init__(
        self,
        operator: DisplayPort,
        customer: DisplayPort | None,
        *,
        clock: Clock,
        rules: Rules,
        labels: Mapping[str, Mapping[str, str]],
        sound: Callable[[], None],
    ) -> None:
        self._operator = operator
        self._customer = customer
        self._clock = clock
        self._rules = rules
        self._labels = labels
        self._sound = sound
        self._shown: State | None = None
        self._screens: dict[str, Screen] = {}
        self.view = ""
        self.enter_alive_at_s = 0.0

    def beep(self) -> None:
        """Sound a refusal: on the display, and on the printer where the shop wants it (field.md 24)."""
        self._operator.beep()
        self._sound()

    def draw(self, state: State, context: Context, facts: Facts) -> None:
        """Draw; a screen that is shown already costs nothing."""
        size = self._operator.size
        screen = render(state, context, facts, self._rules, size=size, labels=self._labels)
        self._send("operator", self._operator, screen)
        self.view = screen.view
        if state is not self._shown:
            self._shown = state
            self.enter_alive_at_s = self._clock.monotonic_s() + DEAD_TIMES_S.get(state, DEAD_TIME_S)
        if self._customer is not None:
            self._send("customer", self._customer, render_customer(state, context, facts, size=self._customer.size))

    def draw_stopped(self, locale: str) -> None:
        """Say on both displays that nobody is behind the screen any more; the last thing that is drawn."""
        self._send("operator", self._operator, render_stopped(locale, size=self._operator.size, labels=self._labels))
        if self._customer is not None:
            self._send("customer", self._customer, render_customer_stopped(locale, size=self._customer.size))

    def _send(self, name: str, display: DisplayPort, screen: Screen) -> None:
        if self._screens.get(name) != screen:
            self._screens[name] = screen
            display.show(screen)
