"""The forms of the operators' pages: sent by an operator, with the token of their session."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, Form

from worker.web.readers import BadToken, Operator, Reader


def operator_form_of(reader: Operator, csrf: Annotated[str, Form()] = "") -> Reader:
    """The operator who sent a form with the token of their session; raises BadToken."""
    if reader.session is None or not secrets.compare_digest(csrf.encode(), reader.csrf.encode()):
        raise BadToken
    return reader


OperatorForm = Annotated[Reader, Depends(operator_form_of)]
Why = Annotated[str, Form(max_length=500)]
