"""Bytes to paper without time: tokenizer and interpreter, as the engine uses them."""

from hil.simulators.printer.interpreter import Effect, Interpreter
from hil.simulators.printer.paper import Paper
from hil.simulators.printer.slip import PrintedCode
from hil.simulators.printer.tokens import Tokenizer


class Press:
    """Executes `data` at once."""

    def __init__(self, data: bytes, *, width_dots: int = 576, is_kanji_default: bool = False) -> None:
        self.paper = Paper(width_dots)
        self.interpreter = Interpreter(self.paper, is_kanji_default=is_kanji_default, has_four_byte_kanji=True)
        self.effects: list[Effect] = []
        for token in Tokenizer().feed(data):
            self.effects += self.interpreter.execute(token)

    @property
    def lines(self) -> list[str]:
        return self.paper.lines

    @property
    def codes(self) -> list[PrintedCode]:
        return self.paper.codes

    def ink(self) -> tuple[int, int, int, int]:
        """Return the box of what is black: left, top, right, bottom."""
        box = self.paper.snapshot().convert("L").point(lambda value: 255 - value).getbbox()
        assert box is not None
        return box
