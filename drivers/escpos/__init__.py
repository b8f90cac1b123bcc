"""The ESC/POS receipt printer: profile, layout, encoder, status, raster [all but raster pure] and the driver itself.

A slip document becomes lines (`layout`), lines become bytes (`encoder`), bytes go out through `drivers.links.usb_bulk`
under the eyes of `printer`, which tells from `status` when a person must help. Nothing here imports pyusb.
"""
