"""The HL7 door: MLLP connections, answers tied to commits. Frames and answers are `worker.intake`'s."""
