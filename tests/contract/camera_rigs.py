"""The camera driver on a simulated camera: a real process, real decoders, pictures drawn by the simulator."""

from pathlib import Path

import msgspec

from drivers.camera.camera_scanner import CameraScanner
from drivers.links.opener import Opener
from hil.simulators.camera import SimCamera
from pos_agent.domain.config import CameraConfig, ScannerConfig
from pos_agent.domain.events import ScanRead
from tests.contract.rigs import ScannerRig


class CameraRig(ScannerRig):
    """Shows each label as a QR code."""

    sheet = "scanner-camera-zxing"
    camera = CameraConfig(fps=30, decoder="zxing")

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sim = SimCamera(folder / "camera")
        config = ScannerConfig(driver="camera", path=str(self.sim.path), camera=self.camera)
        self.device = self.driver = CameraScanner(config, sink=self.events.append, opener=Opener())

    def plug(self) -> None:
        self.sim.plug()

    def unplug(self) -> None:
        self.sim.unplug()

    async def scan(self, label: str) -> None:
        self.sim.show("qr", label.encode())

    @property
    def labels(self) -> list[str]:
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]


class ZbarCameraRig(CameraRig):
    sheet = "scanner-camera-pyzbar"
    camera = msgspec.structs.replace(CameraRig.camera, decoder="pyzbar")
