"""The kit passes right plugins: every test of every suite, and none is skipped."""

from tests.conformance.suites import (
    ReferenceConnector,
    ReferenceParser,
    ReferenceSimulator,
    ReferenceSink,
    ReferenceSubscriber,
)


class TestReferenceParser(ReferenceParser):
    pass


class TestReferenceConnector(ReferenceConnector):
    pass


class TestReferenceSimulator(ReferenceSimulator):
    pass


class TestReferenceSink(ReferenceSink):
    pass


class TestReferenceSubscriber(ReferenceSubscriber):
    pass
