"""The demo's mail relay takes what a mail program sends, as it was sent."""

import smtplib
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email.message import EmailMessage
from urllib.parse import urlsplit

from worker.demo.mailbox import mailbox


def letter(number):
    mail = EmailMessage()
    mail["To"], mail["From"], mail["Subject"] = "a@clinic.example", "b@clinic.example", f"letter {number}"
    mail.set_content(".a line that begins with a dot\n..two\n")
    return mail


def post(url, number):
    parts = urlsplit(url)
    with smtplib.SMTP(parts.hostname, parts.port, timeout=10) as smtp:
        smtp.send_message(letter(number))


def test_each_mail_is_kept_once_and_unchanged(tmp_path):
    with mailbox(tmp_path / "mail") as url, ThreadPoolExecutor(4) as senders:
        list(senders.map(lambda number: post(url, number), range(12)))

    kept = [message_from_bytes(file.read_bytes()) for file in (tmp_path / "mail").iterdir()]
    assert sorted(mail["Subject"] for mail in kept) == sorted(f"letter {number}" for number in range(12))
    assert {mail.get_payload() for mail in kept} == {".a line that begins with a dot\r\n..two\r\n"}
