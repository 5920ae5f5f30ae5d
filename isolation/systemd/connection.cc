#include "isolation/systemd/connection.h"

#include <systemd/sd-bus.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"

namespace skiff::isolation {
namespace {

constexpr char kService[] = "org.freedesktop.systemd1";
constexpr char kObject[] = "/org/freedesktop/systemd1";
constexpr char kInterface[] = "org.freedesktop.systemd1.Manager";
constexpr char kNoSuchUnit[] = "org.freedesktop.systemd1.NoSuchUnit";
constexpr char kUnitExists[] = "org.freedesktop.systemd1.UnitExists";
constexpr std::chrono::seconds kJobTimeout{60};

struct MessageUnref {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageUnref>;

// What a call answered: a message, or the error's name and words.
class Answer {
 public:
  Answer() = default;
  Answer(Answer&&) = delete;
  ~Answer() { sd_bus_error_free(&error_); }

  Result<> Call(sd_bus* bus, const Message& request, const std::string& what) {
    sd_bus_message* reply = nullptr;
    int status = sd_bus_call(bus, request.get(), 0, &error_, &reply);
    reply_.reset(reply);
    if (status >= 0) return {};
    const char* words = error_.message == nullptr ? strerror(-status) : error_.message;
    return Error(Code::kUnavailable, what + ": " + words);
  }
  bool Is(const char* name) const { return sd_bus_error_has_name(&error_, name) != 0; }
  Result<std::string> Text(char type) const {
    const char* text = nullptr;
    int status = sd_bus_message_read_basic(reply_.get(), type, &text);
    if (status < 0) return Error::FromErrno(-status, "answer of systemd");
    return std::string(text);
  }

 private:
  sd_bus_error error_ = SD_BUS_ERROR_NULL;
  Message reply_;
};

Result<Message> NewCall(sd_bus* bus, const char* object, const char* interface,
                        const char* method) {
  sd_bus_message* message = nullptr;
  int status = sd_bus_message_new_method_call(bus, &message, kService, object, interface, method);
  if (status < 0) return Error::FromErrno(-status, method);
  return Message(message);
}

// A word as the D-Bus type `type` wants it.
class Writer {
 public:
  explicit Writer(sd_bus_message* message) : message_(message) {}

  Writer& Open(char type, const char* contents) {
    return Note(sd_bus_message_open_container(message_, type, contents));
  }
  Writer& Close() { return Note(sd_bus_message_close_container(message_)); }
  Writer& Text(const std::string& text) {
    return Note(sd_bus_message_append_basic(message_, 's', text.c_str()));
  }
  Writer& Basic(char type, const std::string& word);
  Writer& Property(const UnitProperty& property);
  Result<> Finish(const std::string& what) const {
    if (status_ >= 0) return {};
    return Error::FromErrno(-status_, what);
  }
  Writer& Note(int status) {
    if (status_ >= 0) status_ = status;
    return *this;
  }

 private:
  template <typename Number>
  Writer& AppendNumber(char type, long double value) {
    bool is_fit = value >= static_cast<long double>(std::numeric_limits<Number>::lowest()) &&
                  value <= static_cast<long double>(std::numeric_limits<Number>::max());
    auto number = is_fit ? static_cast<Number>(value) : Number{};
    return Note(is_fit ? sd_bus_message_append_basic(message_, type, &number) : -ERANGE);
  }

  sd_bus_message* message_;
  int status_ = 0;
};

// 64 bits of either sign fit into the 64 of a long double's significand on x86-64; where it has
// fewer, 64-bit numbers go by their own functions.
Writer& Writer::Basic(char type, const std::string& word) {
  if (type == 's') return Text(word);
  if (type == 'b') {
    int flag = word == "true" ? 1 : 0;
    return Note(word == "true" || word == "false"
                    ? sd_bus_message_append_basic(message_, 'b', &flag)
                    : -EINVAL);
  }
  if (type == 't') {
    std::optional<uint64_t> number = ParseUint(word);
    return Note(number ? sd_bus_message_append_basic(message_, 't', &*number) : -EINVAL);
  }
  char* end = nullptr;
  errno = 0;
  if (type == 'x') {
    int64_t number = strtoll(word.c_str(), &end, 10);
    bool is_number = !word.empty() && *end == '\0' && errno == 0;
    return Note(is_number ? sd_bus_message_append_basic(message_, 'x', &number) : -EINVAL);
  }
  long double number = strtold(word.c_str(), &end);
  if (word.empty() || *end != '\0') return Note(-EINVAL);
  switch (type) {
    case 'y':
      return AppendNumber<uint8_t>(type, number);
    case 'n':
      return AppendNumber<int16_t>(type, number);
    case 'q':
      return AppendNumber<uint16_t>(type, number);
    case 'i':
      return AppendNumber<int32_t>(type, number);
    case 'u':
      return AppendNumber<uint32_t>(type, number);
    case 'd':
      return AppendNumber<double>(type, number);
    default:
      return Note(-EINVAL);
  }
}

Writer& Writer::Property(const UnitProperty& property) {
  const std::vector<std::string>& values = property.values;
  Open('r', "sv").Text(property.name).Open('v', property.type.c_str());
  if (property.type == "a(ss)") {
    Open('a', "(ss)");
    for (size_t i = 0; i + 1 < values.size(); i += 2)
      Open('r', "ss").Text(values[i]).Text(values[i + 1]).Close();
    Close();
  } else if (property.type == "as" || property.type == "ay") {
    Open('a', property.type.c_str() + 1);
    for (const std::string& value : values) Basic(property.type[1], value);
    Close();
  } else if (property.type.size() == 1 && values.size() == 1) {
    Basic(property.type[0], values[0]);
  } else {
    Note(-EINVAL);
  }
  return Close().Close();
}

Result<> AppendProperties(sd_bus_message* message, const std::vector<UnitProperty>& properties) {
  for (const UnitProperty& property : properties) {
    TRY(Writer(message).Property(property).Finish("property " + property.name));
  }
  return {};
}

using EndedJobs = std::vector<std::pair<std::string, std::string>>;

int OnJobRemoved(sd_bus_message* message, void* ended, sd_bus_error*) {
  uint32_t number = 0;
  const char* job = nullptr;
  const char* unit = nullptr;
  const char* result = nullptr;
  if (sd_bus_message_read(message, "uoss", &number, &job, &unit, &result) >= 0)
    static_cast<EndedJobs*>(ended)->emplace_back(job, result);
  return 0;
}

}  // namespace

void SystemdConnection::Unref::operator()(sd_bus* bus) const { sd_bus_flush_close_unref(bus); }

Result<SystemdConnection> SystemdConnection::Connect(bool is_user) {
  sd_bus* bus = nullptr;
  int status = is_user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus);
  if (status < 0) {
    const char* which = is_user ? "the user's D-Bus (DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR)"
                                : "the system's D-Bus";
    return Error::FromErrno(-status, which);
  }
  return SystemdConnection(bus);
}

// Before the call whose job is awaited: its end may come with the answer.
Result<> SystemdConnection::Subscribe() {
  int status = sd_bus_match_signal(bus_.get(), nullptr, kService, kObject, kInterface, "JobRemoved",
                                   OnJobRemoved, &ended_);
  if (status < 0) return Error::FromErrno(-status, "D-Bus: match");
  Message message = TRY(NewCall(bus_.get(), kObject, kInterface, "Subscribe"));
  Answer answer;
  return answer.Call(bus_.get(), message, "Subscribe");
}

Result<> SystemdConnection::Await(const std::string& unit, const std::string& job,
                                  std::string* outcome) {
  int64_t deadline = MonotonicNanoseconds() + Nanoseconds(kJobTimeout).count();
  for (;;) {
    auto found = std::find_if(ended_.begin(), ended_.end(),
                              [&](const auto& ended) { return ended.first == job; });
    if (found != ended_.end()) {
      *outcome = found->second;
      return {};
    }
    int64_t left = (deadline - MonotonicNanoseconds()) / 1000;
    if (left <= 0) return Error(Code::kTimeout, unit + ": systemd's job did not end in 60 s");
    int status = sd_bus_process(bus_.get(), nullptr);
    if (status == 0) status = sd_bus_wait(bus_.get(), static_cast<uint64_t>(left));
    if (status < 0 && status != -EINTR) return Error::FromErrno(-status, "D-Bus");
  }
}

Result<std::string> SystemdConnection::Start(const std::string& unit, pid_t pid,
                                             const std::vector<UnitProperty>& properties) {
  TRY(Subscribe());
  for (bool is_again = false;; is_again = true) {
    Message message = TRY(NewCall(bus_.get(), kObject, kInterface, "StartTransientUnit"));
    Writer writer(message.get());
    writer.Text(unit).Text("fail").Open('a', "(sv)");
    writer.Open('r', "sv").Text("PIDs").Open('v', "au").Open('a', "u");
    writer.Basic('u', std::to_string(pid)).Close().Close().Close();
    TRY(AppendProperties(message.get(), properties));
    writer.Close().Open('a', "(sa(sv))").Close();
    TRY(writer.Finish("StartTransientUnit"));
    Answer answer;
    Result<> called = answer.Call(bus_.get(), message, "StartTransientUnit");
    if (called.ok()) return answer.Text('o');
    if (is_again || !answer.Is(kUnitExists)) return std::move(called).error();
    Message reset = TRY(NewCall(bus_.get(), kObject, kInterface, "ResetFailedUnit"));
    TRY(Writer(reset.get()).Text(unit).Finish("ResetFailedUnit"));
    Answer forgotten;
    if (!forgotten.Call(bus_.get(), reset, "ResetFailedUnit").ok())
      return std::move(called).error();
  }
}

Result<std::string> SystemdConnection::StartScope(const std::string& unit, pid_t pid,
                                                  const std::vector<UnitProperty>& properties) {
  std::string job = TRY(Start(unit, pid, properties).Context(unit));
  std::string outcome;
  TRY(Await(unit, job, &outcome));
  if (outcome != "done")
    return Error(Code::kUnavailable, unit + ": systemd's job ended with '" + outcome + "'");
  Message find = TRY(NewCall(bus_.get(), kObject, kInterface, "GetUnit"));
  TRY(Writer(find.get()).Text(unit).Finish("GetUnit"));
  Answer found;
  TRY(found.Call(bus_.get(), find, unit));
  std::string object = TRY(found.Text('o'));
  char* group = nullptr;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  int status =
      sd_bus_get_property_string(bus_.get(), kService, object.c_str(),
                                 "org.freedesktop.systemd1.Scope", "ControlGroup", &error, &group);
  sd_bus_error_free(&error);
  std::string path = group == nullptr ? "" : group;
  free(group);
  if (status < 0) return Error::FromErrno(-status, unit + ": ControlGroup");
  if (path.size() < 2 || path[0] != '/')
    return Error(Code::kUnavailable, unit + ": systemd gives it no cgroup");
  return path;
}

Result<> SystemdConnection::SetProperties(const std::string& unit,
                                          const std::vector<UnitProperty>& properties) {
  Message message = TRY(NewCall(bus_.get(), kObject, kInterface, "SetUnitProperties"));
  Writer writer(message.get());
  TRY(writer.Text(unit).Basic('b', "true").Open('a', "(sv)").Finish("SetUnitProperties"));
  TRY(AppendProperties(message.get(), properties));
  TRY(writer.Close().Finish("SetUnitProperties"));
  Answer answer;
  return answer.Call(bus_.get(), message, unit);
}

Result<> SystemdConnection::Attach(const std::string& unit, pid_t pid) {
  Message message = TRY(NewCall(bus_.get(), kObject, kInterface, "AttachProcessesToUnit"));
  Writer writer(message.get());
  writer.Text(unit).Text("").Open('a', "u").Basic('u', std::to_string(pid)).Close();
  TRY(writer.Finish("AttachProcessesToUnit"));
  Answer answer;
  return answer.Call(bus_.get(), message, unit + ": attach process");
}

Result<> SystemdConnection::Stop(const std::string& unit) {
  TRY(Subscribe());
  Message message = TRY(NewCall(bus_.get(), kObject, kInterface, "StopUnit"));
  TRY(Writer(message.get()).Text(unit).Text("replace").Finish("StopUnit"));
  Answer answer;
  Result<> called = answer.Call(bus_.get(), message, unit);
  if (!called.ok()) return answer.Is(kNoSuchUnit) ? Result<>() : std::move(called);
  std::string job = TRY(answer.Text('o'));
  std::string outcome;
  TRY(Await(unit, job, &outcome));
  if (outcome != "done" && outcome != "canceled")
    return Error(Code::kUnavailable, unit + ": systemd's job ended with '" + outcome + "'");
  Message reset = TRY(NewCall(bus_.get(), kObject, kInterface, "ResetFailedUnit"));
  TRY(Writer(reset.get()).Text(unit).Finish("ResetFailedUnit"));
  Answer forgotten;
  forgotten.Call(bus_.get(), reset, unit).Ignore();  // mostly it did not fail, and is gone
  return {};
}

}  // namespace skiff::isolation
