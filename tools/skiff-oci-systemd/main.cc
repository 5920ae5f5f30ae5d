// skiff-oci-systemd: what skiff-oci asks of systemd, over D-Bus. Answers on standard output with
// one line, "ok ..." or "error ...". Started by skiff-oci, not by people.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/text.h"
#include "isolation/systemd/connection.h"

namespace {

using skiff::Code;
using skiff::Error;
using skiff::Result;
using skiff::isolation::SystemdConnection;
using skiff::isolation::UnitProperty;

constexpr char kUsage[] =
    "usage: skiff-oci-systemd [--user] start UNIT [NAME TYPE COUNT VALUE...]...\n"
    "       skiff-oci-systemd [--user] set UNIT [NAME TYPE COUNT VALUE...]...\n"
    "       skiff-oci-systemd [--user] attach UNIT PID\n"
    "       skiff-oci-systemd [--user] stop UNIT\n"
    "Makes and changes the scopes of containers for skiff-oci --systemd-cgroup, which starts it.\n"
    "start: a scope that holds this process, which stays until its standard input ends.\n";

Result<std::string> Carry(bool is_user, const std::vector<std::string>& words) {
  const std::string& command = words[0];
  const std::string& unit = words[1];
  SystemdConnection systemd = TRY(SystemdConnection::Connect(is_user));
  if (command == "stop") {
    TRY(systemd.Stop(unit));
    return std::string();
  }
  if (command == "attach") {
    std::optional<uint64_t> pid = skiff::ParseUint(words.back(), INT32_MAX);
    if (!pid || words.size() != 3) return Error(Code::kInvalid, "attach: UNIT PID");
    TRY(systemd.Attach(unit, static_cast<pid_t>(*pid)));
    return std::string();
  }
  std::vector<UnitProperty> properties =
      TRY(skiff::isolation::ParseWords({words.begin() + 2, words.end()}));
  if (command == "start") return systemd.StartScope(unit, getpid(), properties);
  if (command != "set") return Error(Code::kInvalid, command + ": unknown");
  TRY(systemd.SetProperties(unit, properties));
  return std::string();
}

void AwaitEndOfInput() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "--version") {
    puts("skiff-oci-systemd " SKIFF_VERSION);
    return 0;
  }
  bool is_user = !words.empty() && words[0] == "--user";
  if (is_user) words.erase(words.begin());
  if (words.size() < 2) {
    fputs(kUsage, stderr);
    return 2;
  }
  bool stays = words[0] == "start";
  Result<std::string> answer = Carry(is_user, words);
  if (!answer.ok()) {
    printf("error %s\n", answer.error().message().c_str());
    return 1;
  }
  printf("ok %s\n", answer.value().c_str());
  fflush(stdout);
  if (stays) AwaitEndOfInput();
  return 0;
}
