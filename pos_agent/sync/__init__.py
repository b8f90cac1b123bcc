"""Between journal and broker (D7): uplink, downlink, look-up, presence. `service.SyncService` is all that app needs.

Rules of the house: nothing here is a store. What must reach the back office stands in the outbox of the journal and is
cleared by the back office's own signed ack alone; what it says is acknowledged once it is in the journal.
"""
