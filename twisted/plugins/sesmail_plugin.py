"""Tells twistd that there is sesmail. Imported whenever any program lists Twisted's plugins: nothing heavy here."""

from twisted.application.service import ServiceMaker

sesmail = ServiceMaker(
    "sesmail",
    "sesmail.service.options",
    "A mail gateway: what SES put into an S3 bucket, over POP3.",
    "sesmail",
)
