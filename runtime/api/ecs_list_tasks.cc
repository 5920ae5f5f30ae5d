// ListTasks reads the index, not the tasks: a page costs what it shows, however many there are.
#include <algorithm>

#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"
#include "runtime/model/json_text.h"

namespace skiff::runtime::api {
namespace {

struct ListRequest {
  std::optional<DesiredStatus> desired;  // nullopt: PENDING, which no task is
  std::string family;
  std::string started_by;
  std::string launch_type;
  std::string host_id;
  size_t page = kMaxListPage;
  std::string after;  // task id
};

Result<std::optional<DesiredStatus>> ReadDesired(const JsonCursor& input) {
  std::string word = TRY(TextIn(input, "desiredStatus", "RUNNING"));
  if (word == "RUNNING") return std::optional<DesiredStatus>(DesiredStatus::kRunning);
  if (word == "STOPPED") return std::optional<DesiredStatus>(DesiredStatus::kStopped);
  if (word == "PENDING") return std::optional<DesiredStatus>();
  return InvalidParameter("desiredStatus: \"" + word + "\" is none of RUNNING, PENDING, STOPPED");
}

Result<std::string> ReadLaunchType(const JsonCursor& input) {
  std::string word = TRY(TextIn(input, "launchType", ""));
  if (word.empty() || word == "EC2" || word == "FARGATE" || word == "EXTERNAL") return word;
  return InvalidParameter("launchType: \"" + word + "\" is none of EC2, FARGATE, EXTERNAL");
}

Result<std::string> ReadInstance(const JsonCursor& input, const std::string& cluster,
                                 const ControlSettings& settings) {
  std::string text = TRY(TextIn(input, "containerInstance", ""));
  if (!text.starts_with("arn:")) return text;
  std::string prefix = ContainerInstanceArn(settings, cluster, "");
  if (!text.starts_with(prefix)) {
    return InvalidParameter("containerInstance: " + text + " is no container instance of cluster " +
                            cluster);
  }
  return text.substr(prefix.size());
}

Result<std::string> ReadToken(const JsonCursor& input) {
  std::string token = TRY(TextIn(input, "nextToken", ""));
  if (token.empty() || TaskId::Parse(token).ok()) return token;
  return InvalidParameter("Invalid token " + token.substr(0, kMaxTaskIdLength));
}

Result<> RefuseServices(const JsonCursor& input) {
  std::optional<std::string> service = TRY(input.FindString("serviceName"));
  if (!service) return {};
  return Error(Code::kNotFound, "Service not found.").WithKind("ServiceNotFoundException");
}

Result<ListRequest> ReadListTasks(const JsonCursor& input, const std::string& cluster,
                                  const ControlSettings& settings) {
  TRY(RefuseUnknown(input, {"cluster", "containerInstance", "family", "nextToken", "maxResults",
                            "startedBy", "serviceName", "desiredStatus", "launchType"}));
  TRY(RefuseServices(input));
  ListRequest request;
  request.desired = TRY(ReadDesired(input));
  request.family = TRY(TextIn(input, "family", ""));
  request.started_by = TRY(TextIn(input, "startedBy", ""));
  request.launch_type = TRY(ReadLaunchType(input));
  request.host_id = TRY(ReadInstance(input, cluster, settings));
  int64_t page = TRY(IntegerIn(input, "maxResults", kMaxListPage));
  if (page < 1 || page > static_cast<int64_t>(kMaxListPage)) {
    return InvalidParameter("maxResults: is not between 1 and " + std::to_string(kMaxListPage));
  }
  request.page = static_cast<size_t>(page);
  request.after = TRY(ReadToken(input));
  return request;
}

bool Fits(const TaskIndexEntry& entry, const ListRequest& request) {
  auto is = [](const std::string& wanted, const std::string& value) {
    return wanted.empty() || wanted == value;
  };
  return is(request.family, entry.family) && is(request.started_by, entry.started_by) &&
         is(request.launch_type, entry.launch_type) && is(request.host_id, entry.host_id);
}

bool HasFilter(const ListRequest& request) {
  return !request.family.empty() || !request.started_by.empty() || !request.launch_type.empty() ||
         !request.host_id.empty();
}

struct Page {
  std::vector<std::string> ids;
  std::string next;  // "" at the end
};

// With filters a page may end early, even empty, after kMaxEntriesScanned entries.
Result<Page> ReadPage(Store& store, const std::string& prefix, const ListRequest& request) {
  bool has_filter = HasFilter(request);
  size_t limit = has_filter ? kMaxEntriesScanned : request.page;
  std::string after = request.after.empty() ? "" : prefix + request.after;
  std::vector<StoredRecord> entries =
      TRY(store.Range({.prefix = prefix, .after = after, .limit = limit + 1}));
  Page page;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == limit || page.ids.size() == request.page) {
      page.next = entries[i - 1].key.substr(prefix.size());
      break;
    }
    if (has_filter) {
      Result<TaskIndexEntry> entry = DecodeIndexEntry(entries[i].value);
      if (!entry.ok() || !Fits(entry.value(), request)) continue;
    }
    page.ids.push_back(entries[i].key.substr(prefix.size()));
  }
  return page;
}

std::string Answer(const Page& page, const std::string& cluster, const ControlSettings& settings) {
  std::vector<std::string> arns;
  for (const std::string& id : page.ids) arns.push_back(TaskArn(settings, cluster, id));
  std::string text;
  MemberWriter writer(text);
  writer.Always("taskArns", arns);
  writer("nextToken", page.next);
  writer.Close();
  return text;
}

}  // namespace

Result<std::string> TaskService::ListTasks(const Call& call) {
  ClusterRecord cluster = TRY(FindCluster(call.input));
  ListRequest request = TRY(ReadListTasks(call.input, cluster.name, settings));
  if (!request.desired) return Answer({}, cluster.name, settings);
  Page page = TRY(ReadPage(store, keys::TaskIndex(cluster.name, *request.desired), request));
  return Answer(page, cluster.name, settings);
}

}  // namespace skiff::runtime::api
