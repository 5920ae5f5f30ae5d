#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "isolation/sys/file.h"
#include "runtime/api/logs.h"
#include "runtime/control/keys.h"
#include "runtime/logs/segment.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNow = 1'800'000'000'000;  // milliseconds
constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDay = 24 * kHour;

class LogsTest : public testing::Test {
 protected:
  Result<std::string> Ask(const std::string& operation, const Json& input) {
    JsonDocument document = JsonDocument::Parse(input.dump(), "test").value();
    JsonCursor root(&document.root().value(), "");
    return table_.operations.at(operation).run({operation, root, {}, ""});
  }
  Json Get(const std::string& operation, const Json& input) {
    Result<std::string> answer = Ask(operation, input);
    EXPECT_TRUE(answer.ok()) << operation << ": " << answer.error().message();
    if (!answer.ok()) return Json();
    return answer.value().empty() ? Json() : Json::parse(answer.value());
  }
  std::string Kind(const std::string& operation, const Json& input) {
    Result<std::string> answer = Ask(operation, input);
    return answer.ok() ? "(ok)" : answer.error().kind();
  }
  void Group(const std::string& name) { Get("CreateLogGroup", {{"logGroupName", name}}); }
  void Stream(const std::string& name) {
    Get("CreateLogStream", {{"logGroupName", "g"}, {"logStreamName", name}});
  }
  static Json Event(int64_t at, const std::string& message) {
    return {{"timestamp", at}, {"message", message}};
  }
  Json Put(const std::string& stream, const Json& events) {
    return Get("PutLogEvents",
               {{"logGroupName", "g"}, {"logStreamName", stream}, {"logEvents", events}});
  }
  // A stream as a container leaves it, one batch a line, a millisecond apart.
  std::string Container(const std::string& name, int lines, int64_t first) {
    std::string directory = temp_.path() + "/" + name;
    std::string data;
    std::string index;
    for (int i = 0; i < lines; ++i) {
      std::string line = name + std::to_string(i) + "\n";
      AppendIndexRecord({(first + i) * 1'000'000, data.size(), static_cast<uint32_t>(line.size()),
                         i % 2 == 0 ? LogStream::kStdout : LogStream::kStderr, 0},
                        index);
      data += line;
    }
    EXPECT_TRUE(sys::MakeDirectories(directory, 0700).ok());
    EXPECT_TRUE(sys::WriteFile(AT_FDCWD, directory + "/" + SegmentDataName(1), data).ok());
    EXPECT_TRUE(sys::WriteFile(AT_FDCWD, directory + "/" + SegmentIndexName(1), index).ok());
    LogStreamRecord record{"g", name, LogStreamRecord::Source::kContainer, directory, 1};
    EXPECT_TRUE(
        store_.Commit({{keys::LogStream("g", name), Encode(record), 0}}, Durability::kStatus).ok());
    return directory;
  }
  static std::vector<std::string> Messages(const Json& answer) {
    std::vector<std::string> messages;
    for (const Json& event : answer["events"]) messages.push_back(event["message"]);
    return messages;
  }

  test::TempDir temp_;
  MemoryStore store_;
  int64_t now_ = kNow;
  LogsService service_{store_, {{}, temp_.path() + "/put", [this] { return now_ * 1'000'000; }}};
  OperationTable table_ = LogsOperations(&service_);
};

TEST_F(LogsTest, GroupsAndStreamsAreNamedAsInAws) {
  EXPECT_EQ(Kind("CreateLogStream", {{"logGroupName", "g"}, {"logStreamName", "s"}}),
            "ResourceNotFoundException");
  Group("g");
  EXPECT_EQ(Kind("CreateLogGroup", {{"logGroupName", "g"}}), "ResourceAlreadyExistsException");
  EXPECT_EQ(Kind("CreateLogGroup", {{"logGroupName", "a b"}}), "InvalidParameterException");
  EXPECT_EQ(Kind("CreateLogGroup", {{"logGroupName", "aws/x"}}), "InvalidParameterException");
  EXPECT_EQ(Kind("CreateLogGroup", {{"logGroupName", "k"}, {"kmsKeyId", "x"}}),
            "InvalidParameterException");
  Stream("s");
  EXPECT_EQ(Kind("CreateLogStream", {{"logGroupName", "g"}, {"logStreamName", "s"}}),
            "ResourceAlreadyExistsException");
  EXPECT_EQ(Kind("CreateLogStream", {{"logGroupName", "g"}, {"logStreamName", "a:b"}}),
            "InvalidParameterException");
  EXPECT_EQ(Kind("GetLogEvents", {{"logGroupName", "g"}, {"logStreamName", "no"}}),
            "ResourceNotFoundException");
  Put("s", Json::array({Event(kNow, "m")}));
  ASSERT_TRUE(sys::Exists(AT_FDCWD, temp_.path() + "/put"));
  Get("DeleteLogGroup", {{"logGroupName", "g"}});
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, temp_.path() + "/put").value(), ElementsAre());
  EXPECT_EQ(Kind("DescribeLogStreams", {{"logGroupName", "g"}}), "ResourceNotFoundException");
}

TEST_F(LogsTest, RefusalsAreInAwsWords) {
  Group("g");
  auto refusal = [&](const std::string& operation, const Json& input) {
    Result<std::string> answer = Ask(operation, input);
    return answer.ok() ? "(ok)" : answer.error().message();
  };
  const std::string check = "1 validation error detected: Value ";
  EXPECT_EQ(refusal("DescribeLogGroups", {{"limit", 51}}),
            check +
                "'51' at 'limit' failed to satisfy constraint: Member must have value less "
                "than or equal to 50");
  EXPECT_EQ(refusal("CreateLogGroup", {{"logGroupName", "a b"}}),
            check +
                "'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy "
                "regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");
  EXPECT_EQ(refusal("CreateLogGroup", {{"logGroupName", std::string(513, 'a')}}),
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.");
  EXPECT_EQ(refusal("CreateLogGroup", Json::object()),
            check + "null at 'logGroupName' failed to satisfy constraint: Member must not be null");
  EXPECT_THAT(refusal("PutRetentionPolicy", {{"logGroupName", "g"}, {"retentionInDays", 2}}),
              HasSubstr("Member must satisfy enum value set: [1, 3, 5, 7, 14, "));
  EXPECT_EQ(refusal("DescribeLogStreams", {{"logGroupName", "g"}, {"logGroupIdentifier", "g"}}),
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
  EXPECT_EQ(Kind("DescribeLogStreams", {{"logGroupName", "g"}, {"logGroupIdentifier", "g"}}),
            "ValidationException");
}

TEST_F(LogsTest, AProtectedGroupIsNotDeleted) {
  Get("CreateLogGroup", {{"logGroupName", "g"}, {"deletionProtectionEnabled", true}});
  EXPECT_EQ(Kind("DeleteLogGroup", {{"logGroupName", "g"}}), "ValidationException");
  EXPECT_EQ(Get("DescribeLogGroups", Json::object())["logGroups"][0]["deletionProtectionEnabled"],
            true);
  Get("PutLogGroupDeletionProtection",
      {{"logGroupIdentifier", "g"}, {"deletionProtectionEnabled", false}});
  Get("DeleteLogGroup", {{"logGroupName", "g"}});
}

TEST_F(LogsTest, GroupsShowWhatTheyStore) {
  for (const char* name : {"g", "h", "i"}) Group(name);
  Stream("s");
  Put("s", Json::array({Event(kNow, "message")}));
  Container("c", 3, kNow);  // "c0\n" and two more
  Json shown = Get("DescribeLogGroups", {{"logGroupIdentifiers", {"h", "g", "none"}}})["logGroups"];
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0]["logGroupName"], "g");
  EXPECT_EQ(shown[0]["storedBytes"], 20 + 7 + 9);  // the record's head, its message, the lines
  EXPECT_EQ(shown[1]["storedBytes"], 0);
}

TEST_F(LogsTest, GroupsArePaged) {
  for (const char* name : {"a/1", "a/2", "a/3", "b"}) Group(name);
  Json first = Get("DescribeLogGroups", {{"logGroupNamePrefix", "a/"}, {"limit", 2}});
  ASSERT_EQ(first["logGroups"].size(), 2u);
  EXPECT_EQ(first["logGroups"][0]["arn"], "arn:aws:logs:us-east-1:123456789012:log-group:a/1:*");
  Json second =
      Get("DescribeLogGroups",
          {{"logGroupNamePrefix", "a/"}, {"limit", 2}, {"nextToken", first["nextToken"]}});
  ASSERT_EQ(second["logGroups"].size(), 1u);
  EXPECT_EQ(second["logGroups"][0]["logGroupName"], "a/3");
  EXPECT_FALSE(second.contains("nextToken"));
  EXPECT_EQ(Get("ListLogGroups", {{"logGroupNamePattern", "2"}})["logGroups"].size(), 1u);
}

TEST_F(LogsTest, TagsAreAddedShownAndTakenOff) {
  Group("g");
  std::string arn = "arn:aws:logs:us-east-1:123456789012:log-group:g";
  Get("TagResource", {{"resourceArn", arn}, {"tags", {{"a", "1"}, {"b", "2"}}}});
  Get("TagLogGroup", {{"logGroupName", "g"}, {"tags", {{"a", "3"}}}});
  EXPECT_EQ(Get("ListTagsForResource", {{"resourceArn", arn}})["tags"],
            (Json{{"a", "3"}, {"b", "2"}}));
  Get("UntagResource", {{"resourceArn", arn}, {"tagKeys", {"a"}}});
  EXPECT_EQ(Get("ListTagsLogGroup", {{"logGroupName", "g"}})["tags"], (Json{{"b", "2"}}));
  EXPECT_EQ(Kind("ListTagsForResource", {{"resourceArn", "g"}}), "InvalidParameterException");
}

TEST_F(LogsTest, EventsThatAreTooOldOrTooNewAreRejectedAndTheRestIsStored) {
  Group("g");
  Stream("s");
  Json old = Put("s", {Event(kNow - 15 * kDay, "old"), Event(kNow - 14 * kDay, "ok")});
  EXPECT_EQ(old["rejectedLogEventsInfo"], (Json{{"tooOldLogEventEndIndex", 1}}));
  Json fresh = Put("s", {Event(kNow, "now"), Event(kNow + 3 * kHour, "new")});
  EXPECT_EQ(fresh["rejectedLogEventsInfo"], (Json{{"tooNewLogEventStartIndex", 1}}));
  Get("PutRetentionPolicy", {{"logGroupName", "g"}, {"retentionInDays", 1}});
  Json expired = Put("s", {Event(kNow - 25 * kHour, "gone"), Event(kNow - 2 * kHour, "kept")});
  EXPECT_EQ(expired["rejectedLogEventsInfo"], (Json{{"expiredLogEventEndIndex", 1}}));
  Json input{{"logGroupName", "g"}, {"logStreamName", "s"}, {"startFromHead", true}};
  EXPECT_THAT(Messages(Get("GetLogEvents", input)), ElementsAre("kept", "now"));
  Get("DeleteRetentionPolicy", {{"logGroupName", "g"}});
  EXPECT_THAT(Messages(Get("GetLogEvents", input)), ElementsAre("ok", "kept", "now"));
}

TEST_F(LogsTest, ABatchKeepsToItsLimits) {
  Group("g");
  Stream("s");
  auto kind = [&](const Json& events) {
    return Kind("PutLogEvents",
                {{"logGroupName", "g"}, {"logStreamName", "s"}, {"logEvents", events}});
  };
  EXPECT_EQ(kind(Json::array()), "InvalidParameterException");
  EXPECT_EQ(kind({Event(kNow, "b"), Event(kNow - 1, "a")}), "InvalidParameterException");
  EXPECT_EQ(kind({Event(kNow - 25 * kHour, "a"), Event(kNow, "b")}), "InvalidParameterException");
  EXPECT_EQ(kind(Json::array({Event(kNow, std::string((1 << 20) - 25, 'x'))})),
            "InvalidParameterException");
  EXPECT_EQ(kind(Json::array({Event(kNow, std::string((1 << 20) - 26, 'x'))})), "(ok)");
}

TEST_F(LogsTest, AContainersLogIsPagedForwardToItsEndAndOn) {
  Group("g");
  Container("c", 5, kNow);
  Json input{{"logGroupName", "g"}, {"logStreamName", "c"}, {"startFromHead", true}, {"limit", 2}};
  std::vector<std::string> all;
  for (int i = 0; i < 3; ++i) {
    Json page = Get("GetLogEvents", input);
    for (const std::string& message : Messages(page)) all.push_back(message);
    input["nextToken"] = page["nextForwardToken"];
  }
  EXPECT_THAT(all, ElementsAre("c0", "c1", "c2", "c3", "c4"));
  Json end = Get("GetLogEvents", input);
  EXPECT_THAT(Messages(end), ElementsAre());
  EXPECT_EQ(end["nextForwardToken"], input["nextToken"]);
}

TEST_F(LogsTest, WithoutATokenTheLastEventsComeAndTheTokenLeadsBack) {
  Group("g");
  Container("c", 5, kNow);
  Json input{{"logGroupName", "g"}, {"logStreamName", "c"}, {"limit", 2}};
  Json last = Get("GetLogEvents", input);
  EXPECT_THAT(Messages(last), ElementsAre("c3", "c4"));
  input["nextToken"] = last["nextBackwardToken"];
  EXPECT_THAT(Messages(Get("GetLogEvents", input)), ElementsAre("c1", "c2"));
  Json window{{"logGroupName", "g"},
              {"logStreamName", "c"},
              {"startTime", kNow + 1},
              {"endTime", kNow + 3},
              {"startFromHead", true}};
  EXPECT_THAT(Messages(Get("GetLogEvents", window)), ElementsAre("c1", "c2"));
  input["nextToken"] = "x/1/2";
  EXPECT_EQ(Kind("GetLogEvents", input), "InvalidParameterException");
}

TEST_F(LogsTest, FilteringMergesStreamsByTimeAndPagesThem) {
  Group("g");
  Container("c", 3, kNow);
  Stream("s");
  Put("s", {Event(kNow, "s0"), Event(kNow + 1, "s1 ERROR"), Event(kNow + 9, "s2")});
  Json input{{"logGroupName", "g"}, {"limit", 2}};
  std::vector<std::string> all;
  std::set<std::string> ids;
  for (bool has_more = true; has_more;) {
    Json page = Get("FilterLogEvents", input);
    for (const std::string& message : Messages(page)) all.push_back(message);
    for (const Json& event : page["events"]) ids.insert(event["eventId"]);
    has_more = page.contains("nextToken");
    if (has_more) input["nextToken"] = page["nextToken"];
    ASSERT_LE(all.size(), 6u);
  }
  EXPECT_THAT(all, ElementsAre("c0", "s0", "c1", "s1 ERROR", "c2", "s2"));
  EXPECT_EQ(ids.size(), 6u);
  Json same = Get("FilterLogEvents", {{"logGroupName", "g"}});
  for (const Json& event : same["events"]) EXPECT_TRUE(ids.contains(event["eventId"]));
}

TEST_F(LogsTest, FilteringReadsSoMuchForOnePageAndGoesOnWithTheNext) {
  Group("g");
  Container("c", 50'000, kNow);
  Container("d", 15'000, kNow + 10'000);
  Stream("s");
  Put("s", {Event(kNow + 5'000, "s9999"), Event(kNow + 40'000, "s99990")});
  Json input{{"logGroupName", "g"}, {"filterPattern", "9999"}, {"limit", 3}};
  std::vector<std::string> all;
  LogsService frugal(store_, {{}, temp_.path() + "/put", [] { return kNow * 1'000'000; }, 1});
  table_ = LogsOperations(&frugal);
  size_t pages = 0;
  for (bool has_more = true; has_more; ++pages) {
    Json page = Get("FilterLogEvents", input);
    for (const std::string& message : Messages(page)) all.push_back(message);
    has_more = page.contains("nextToken");
    if (has_more) input["nextToken"] = page["nextToken"];
    ASSERT_LT(pages, 100u);
  }
  EXPECT_THAT(all, ElementsAre("s9999", "c9999", "c19999", "d9999", "c29999", "c39999", "s99990",
                               "c49999"));
  EXPECT_GT(pages, 3u);
}

TEST_F(LogsTest, FilteringChoosesByPatternTimeAndStream) {
  Group("g");
  Container("c", 3, kNow);
  Stream("s");
  Put("s", {Event(kNow, "s0"), Event(kNow + 1, "s1 ERROR")});
  Json input{{"logGroupName", "g"}, {"filterPattern", "ERROR"}};
  EXPECT_THAT(Messages(Get("FilterLogEvents", input)), ElementsAre("s1 ERROR"));
  input["filterPattern"] = "{ broken";
  EXPECT_EQ(Kind("FilterLogEvents", input), "InvalidParameterException");
  EXPECT_THAT(
      Messages(Get("FilterLogEvents",
                   {{"logGroupName", "g"}, {"startTime", kNow + 1}, {"endTime", kNow + 1}})),
      ElementsAre("c1", "s1 ERROR"));
  Json named{{"logGroupName", "g"}, {"logStreamNames", {"c"}}, {"startTime", kNow + 2}};
  EXPECT_THAT(Messages(Get("FilterLogEvents", named)), ElementsAre("c2"));
  named["logStreamNames"] = {"absent"};
  EXPECT_EQ(Kind("FilterLogEvents", named), "ResourceNotFoundException");
}

TEST_F(LogsTest, StreamsAreListedByNameOrByTheirLastEvent) {
  Group("g");
  Container("c", 3, kNow);
  Stream("a");
  Stream("z");
  Put("z", Json::array({Event(kNow - 5, "early")}));
  Json input{{"logGroupName", "g"}, {"limit", 2}};
  Json page = Get("DescribeLogStreams", input);
  EXPECT_EQ(page["logStreams"][0]["logStreamName"], "a");
  EXPECT_EQ(page["logStreams"][1]["firstEventTimestamp"], kNow);
  EXPECT_EQ(page["logStreams"][1]["lastEventTimestamp"], kNow + 2);
  input["nextToken"] = page["nextToken"];
  EXPECT_EQ(Get("DescribeLogStreams", input)["logStreams"][0]["logStreamName"], "z");
  Json latest = Get("DescribeLogStreams",
                    {{"logGroupName", "g"}, {"orderBy", "LastEventTime"}, {"descending", true}});
  EXPECT_EQ(latest["logStreams"][0]["logStreamName"], "c");
  EXPECT_EQ(latest["logStreams"][1]["logStreamName"], "z");
}

TEST_F(LogsTest, RetentionRemovesFilesAndDeletingAStreamItsDirectory) {
  Group("g");
  std::string old = Container("old", 3, kNow - 48 * kHour);
  std::string young = Container("young", 3, kNow);
  ASSERT_TRUE(service_.ApplyRetention().ok());
  EXPECT_TRUE(sys::Exists(AT_FDCWD, old + "/" + SegmentDataName(1)));
  EXPECT_EQ(Kind("PutRetentionPolicy", {{"logGroupName", "g"}, {"retentionInDays", 2}}),
            "InvalidParameterException");
  Get("PutRetentionPolicy", {{"logGroupName", "g"}, {"retentionInDays", 1}});
  ASSERT_TRUE(service_.ApplyRetention().ok());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, old + "/" + SegmentDataName(1)));
  EXPECT_TRUE(sys::Exists(AT_FDCWD, young + "/" + SegmentDataName(1)));
  Get("DeleteLogStream", {{"logGroupName", "g"}, {"logStreamName", "young"}});
  EXPECT_FALSE(sys::Exists(AT_FDCWD, young));
}

TEST_F(LogsTest, PoliciesSpeakOfGroupsAndStreams) {
  auto touched = [&](const std::string& operation, const Json& input) {
    JsonDocument document = JsonDocument::Parse(input.dump(), "test").value();
    JsonCursor root(&document.root().value(), "");
    return table_.operations.at(operation).resources({operation, root, {}, ""});
  };
  const std::string group = "arn:aws:logs:us-east-1:123456789012:log-group:/g";
  EXPECT_THAT(touched("PutLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}}),
              ElementsAre(group + ":log-stream:s"));
  EXPECT_THAT(touched("FilterLogEvents", {{"logGroupIdentifier", group + ":*"}}),
              ElementsAre(group + ":log-stream:"));
  EXPECT_THAT(touched("TagResource", {{"resourceArn", group}}),
              ElementsAre(group + ":log-stream:"));
  EXPECT_THAT(touched("DescribeLogGroups", Json::object()), IsEmpty());
  EXPECT_THAT(touched("DeleteLogGroup", {{"logGroupName", "a b"}}), IsEmpty());
}

}  // namespace
}  // namespace skiff::runtime::api
