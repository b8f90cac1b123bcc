"""What a cashier does in most scenarios, over the bench API."""

from typing import Any

from hil.bench.client import BenchClient


class Cashier:
    """A signed-in cashier at a bench.

    Args:
        client: The bench, at MENU.
    """

    def __init__(self, client: BenchClient) -> None:
        self.client = client

    def sale(self, kind: str) -> dict[str, Any]:
        """Return the demo sale of a kind, see `hil.rig.backoffice`."""
        return next(sale for sale in self.client.sales() if sale["kind"] == kind)

    def scan_sale(self, kind: str) -> dict[str, Any]:
        """Scan a sale's code; ends at SALE. Returns the sale."""
        sale = self.sale(kind)
        self.client.scan(sale["code"])
        self.client.wait_state("SALE")
        return sale

    def choose_all(self) -> None:
        """From SALE: 确认, the whole amount; ends at REASON."""
        self.client.enter()
        self.client.wait_state("REASON")

    def choose_part(self, yuan: str) -> None:
        """From SALE: 2, an amount, 确认."""
        self.client.keys("2")
        self.client.wait_state("AMOUNT")
        self.client.type(yuan)
        self.client.enter()

    def confirm(self, reason_key: str = "1") -> str:
        """From REASON: reason, 确认; ends at RESULT. Returns the request's number."""
        self.client.keys(reason_key)
        self.client.wait_state("CONFIRM")
        self.client.enter()
        state = self.client.wait_state("RESULT")
        request_id: str = state["daemon"]["last_request_id"]
        return request_id

    def refund_all(self, kind: str) -> str:
        """From MENU to RESULT: a full refund. Returns the request's number."""
        self.scan_sale(kind)
        self.choose_all()
        return self.confirm()

    def back_to_menu(self) -> None:
        """From RESULT: 确认; ends at MENU."""
        self.client.enter()
        self.client.wait_state("MENU")
