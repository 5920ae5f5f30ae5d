#!/usr/bin/python3
"""CloudWatch Logs as its users drive it: put, get, filter and tail with the aws CLI and boto3."""

import subprocess
import threading
import time
import unittest

from botocore.exceptions import ClientError

from daemon import Daemon


class LogsTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.end)
        self.daemon.start()
        self.logs = self.daemon.boto3("logs")
        self.logs.create_log_group(logGroupName="/app/web", tags={"team": "edge"})
        self.logs.create_log_stream(logGroupName="/app/web", logStreamName="one")

    def put(self, *messages):
        now = int(time.time() * 1000)
        return self.logs.put_log_events(
            logGroupName="/app/web",
            logStreamName="one",
            logEvents=[{"timestamp": now + i, "message": m} for i, m in enumerate(messages)],
        )

    def messages(self):
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName="/app/web", PaginationConfig={"PageSize": 2}
        )
        return [event["message"] for page in pages for event in page["events"]]

    def test_events_that_were_put_are_found_and_tailed(self):
        self.put("start", '{"level": "ERROR", "n": 5}', "end ü")
        self.assertEqual(self.messages(), ["start", '{"level": "ERROR", "n": 5}', "end ü"])
        found = self.logs.filter_log_events(
            logGroupName="/app/web", filterPattern='{ $.level = "ERR*" && $.n > 4 }'
        )
        self.assertEqual([e["message"] for e in found["events"]], ['{"level": "ERROR", "n": 5}'])
        tail = self.daemon.aws("logs", "tail", "/app/web", "--since", "1h", "--format", "short")
        self.assertIn("end ü", tail)
        arn = "arn:aws:logs:us-east-1:123456789012:log-group:/app/web"
        tags = self.logs.list_tags_log_group(logGroupName="/app/web")["tags"]
        self.assertEqual(tags, {"team": "edge"})
        self.assertEqual(self.logs.describe_log_groups()["logGroups"][0]["arn"], arn + ":*")

    def test_tail_follows_what_is_put_later_and_tells_each_event_once(self):
        self.put("before")
        tail = subprocess.Popen(
            ["/usr/bin/aws", "--endpoint-url", self.daemon.endpoint, "logs", "tail", "/app/web",
             "--since", "1h", "--follow", "--format", "short"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**self.daemon.environment(), "PYTHONUNBUFFERED": "1"},
        )
        self.addCleanup(tail.stdout.close)
        self.addCleanup(tail.wait)
        self.addCleanup(tail.kill)
        deadline = threading.Timer(120, tail.kill)  # of a tail that hangs
        deadline.start()
        self.addCleanup(deadline.cancel)
        self.assertIn("before", tail.stdout.readline())
        self.put("first", "second")  # seen by its next call, some seconds later
        self.assertIn("first", tail.stdout.readline())
        self.assertIn("second", tail.stdout.readline())
        self.put("third")  # and once more: nothing of before comes again
        self.assertIn("third", tail.stdout.readline())

    def test_what_was_put_survives_a_daemon_that_is_killed(self):
        self.put("kept")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.messages(), ["kept"])
        self.put("more")
        self.assertEqual(self.messages(), ["kept", "more"])

    def test_what_is_not_there_has_the_name_clients_expect(self):
        with self.assertRaises(self.logs.exceptions.ResourceNotFoundException):
            self.logs.get_log_events(logGroupName="none", logStreamName="one")
        with self.assertRaises(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName="/app/web")
        with self.assertRaises(ClientError) as refused:
            self.logs.filter_log_events(logGroupName="/app/web", filterPattern="{ broken")
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidParameterException")


if __name__ == "__main__":
    unittest.main(verbosity=2)
