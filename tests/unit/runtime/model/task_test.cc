#include "runtime/model/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/model/limits.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Task NewTask() { return Task(TaskId::Parse("0123456789abcdef0123456789abcdef").value()); }

// Numbers them from 1; each happens ten nanoseconds after the one before.
std::vector<Event> Numbered(std::vector<Event> events) {
  for (size_t i = 0; i < events.size(); ++i) {
    events[i].number = i + 1;
    events[i].wall_ns = static_cast<int64_t>(10 * (i + 1));
  }
  return events;
}

Task Fold(const std::vector<Event>& events) {
  Task task = NewTask();
  for (const Event& event : events) Apply(task, event);
  return task;
}

std::vector<Event> WholeLife() {
  return Numbered({
      {.type = EventType::kTaskCreated},
      {.type = EventType::kNetworkAttached,
       .address = "10.77.0.5",
       .mac = "02:00:0a:4d:00:05",
       .eni = "eni-1"},
      {.type = EventType::kStepFinished, .step = "network", .duration_ns = 900},
      {.type = EventType::kContainerCreated,
       .container = "web",
       .image = "nginx",
       .digest = "sha256:aa",
       .runtime_id = "x-1"},
      {.type = EventType::kContainerStarted, .container = "web", .pid = 42},
      {.type = EventType::kTaskRunning},
      {.type = EventType::kWarning, .container = "web", .text = "nofile capped"},
      {.type = EventType::kStopRequested,
       .stop_code = StopCode::kUserInitiated,
       .reason = "Task stopped by user"},
      {.type = EventType::kStopSignalled, .container = "web", .signal = 15},
      {.type = EventType::kKillSent, .container = "web"},
      {.type = EventType::kContainerExited, .container = "web", .exit_code = 137, .signal = 9},
      {.type = EventType::kCleanupFailed, .text = "cgroup busy"},
      {.type = EventType::kTaskStopped,
       .stop_code = StopCode::kTaskFailedToStart,
       .reason = "a later cause"},
  });
}

TEST(TaskTest, StatusFollowsTheEventsOfAWholeLife) {
  std::vector<Event> events = WholeLife();
  std::vector<std::string> statuses;
  Task task = NewTask();
  for (const Event& event : events) {
    Apply(task, event);
    std::string status(StatusName(task.last_status));
    if (statuses.empty() || statuses.back() != status) statuses.push_back(status);
  }
  EXPECT_THAT(statuses, ElementsAre("PROVISIONING", "PENDING", "RUNNING", "STOPPING",
                                    "DEPROVISIONING", "STOPPED"));
}

TEST(TaskTest, EveryFactOfALifeIsKept) {
  Task task = Fold(WholeLife());
  EXPECT_EQ(task.created_at, 10);
  EXPECT_EQ(task.connectivity_at, 20);
  EXPECT_EQ(task.started_at, 60);
  EXPECT_EQ(task.stopping_at, 80);
  EXPECT_EQ(task.execution_stopped_at, 110);
  EXPECT_EQ(task.stopped_at, 130);
  EXPECT_EQ(task.stop_code, StopCode::kUserInitiated);
  EXPECT_EQ(task.stopped_reason, "Task stopped by user");
  EXPECT_THAT(task.attachments,
              ElementsAre(Attachment{"eni-1", "DELETED", "10.77.0.5", "02:00:0a:4d:00:05"}));
  EXPECT_THAT(task.latency, ElementsAre(LatencyStep{"network", "", 900}));
  EXPECT_THAT(task.warnings, ElementsAre("web: nofile capped"));
  EXPECT_THAT(task.cleanup_failures, ElementsAre("cgroup busy"));
  EXPECT_EQ(task.last_event, 13u);
  ASSERT_EQ(task.containers.size(), 1u);
  const TaskContainer& web = task.containers[0];
  EXPECT_EQ(web.digest, "sha256:aa");
  EXPECT_EQ(web.last_status, ContainerStatus::kStopped);
  EXPECT_EQ(web.exit_code, 137);
  EXPECT_EQ(web.signal, 9);
  EXPECT_EQ(web.pid, 0);
  EXPECT_EQ(web.started_at, 50);
  EXPECT_EQ(web.stop_signalled_at, 90);
  EXPECT_EQ(web.kill_sent_at, 100);
  EXPECT_EQ(web.finished_at, 110);
}

TEST(TaskTest, ReplayFromAnyPointChangesNothing) {
  std::vector<Event> events = WholeLife();
  Task whole = Fold(events);
  for (size_t seen = 0; seen <= events.size(); ++seen) {
    Task task = Fold({events.begin(), events.begin() + static_cast<ptrdiff_t>(seen)});
    for (const Event& event : events) Apply(task, event);
    EXPECT_EQ(task, whole) << "after " << seen;
  }
}

TEST(TaskTest, VersionCountsWhatTheApiShowsOnly) {
  Task task = NewTask();
  Apply(task, {.number = 1, .type = EventType::kTaskCreated});
  EXPECT_EQ(task.version, 1u);
  Apply(task, {.number = 2, .type = EventType::kStepFinished, .step = "x"});
  EXPECT_EQ(task.version, 1u);
  Apply(task, {.number = 3, .type = EventType::kTaskRunning});
  EXPECT_EQ(task.version, 2u);
  Apply(task, {.number = 3, .type = EventType::kTaskRunning});
  EXPECT_EQ(task.version, 2u);
}

TEST(TaskTest, OutOfMemoryHasTheReasonOfTheApi) {
  Task task = Fold(Numbered({{.type = EventType::kContainerExited,
                              .container = "web",
                              .exit_code = kOutOfMemoryExitCode,
                              .signal = 9,
                              .oom_killed = true}}));
  EXPECT_EQ(task.Find("web")->reason, "OutOfMemoryError: Container killed due to memory usage");
  EXPECT_EQ(task.Find("web")->exit_code, 137);
}

TEST(TaskTest, ContainersOfThePlanKeepTheirPlaces) {
  Task task = NewTask();
  task.containers = {{.name = "a"}, {.name = "b"}};
  Apply(task, {.number = 1, .type = EventType::kContainerStarted, .container = "b", .pid = 3});
  Apply(task, {.number = 2, .type = EventType::kContainerStarted, .container = "c", .pid = 4});
  ASSERT_EQ(task.containers.size(), 3u);
  EXPECT_EQ(task.containers[0].last_status, ContainerStatus::kPending);
  EXPECT_EQ(task.containers[1].last_status, ContainerStatus::kRunning);
  EXPECT_EQ(task.containers[2].name, "c");
  EXPECT_EQ(task.Find("nobody"), nullptr);
}

TEST(TaskTest, TaskThatNeverStartedHasItsReasonAndNoStartTime) {
  Task task = Fold(Numbered({
      {.type = EventType::kTaskCreated},
      {.type = EventType::kContainerCreated, .container = "web"},
      {.type = EventType::kContainerStartFailed,
       .container = "web",
       .exit_code = 127,
       .reason = "exec nginx: no such file"},
      {.type = EventType::kStopRequested,
       .stop_code = StopCode::kTaskFailedToStart,
       .reason = "CannotStartContainerError: exec nginx: no such file"},
      {.type = EventType::kTaskStopped},
  }));
  EXPECT_EQ(task.last_status, TaskStatus::kStopped);
  EXPECT_EQ(task.desired_status, DesiredStatus::kStopped);
  EXPECT_EQ(task.stop_code, StopCode::kTaskFailedToStart);
  EXPECT_FALSE(task.started_at.has_value());
  EXPECT_EQ(task.execution_stopped_at, 40);
  EXPECT_EQ(task.Find("web")->exit_code, 127);
  EXPECT_EQ(task.Find("web")->reason, "exec nginx: no such file");
}

TEST(TaskTest, NotesBeyondTheLimitAreCounted) {
  Task task = NewTask();
  for (uint64_t i = 1; i <= kMaxTaskWarnings + 5; ++i) {
    Apply(task, {.number = i, .type = EventType::kWarning, .text = "again"});
  }
  EXPECT_EQ(task.warnings.size(), kMaxTaskWarnings);
  EXPECT_EQ(task.dropped_notes, 5u);
  EXPECT_THAT(task.cleanup_failures, IsEmpty());
}

}  // namespace
}  // namespace skiff::runtime
