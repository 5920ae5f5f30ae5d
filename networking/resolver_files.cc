#include "networking/resolver_files.h"

#include <fcntl.h>

#include <algorithm>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr std::string_view kLocalLines =
    "127.0.0.1 localhost\n"
    "::1 localhost ip6-localhost ip6-loopback\n";

// The words of each line that is no comment; the resolver library knows '#' and ';'.
std::vector<std::vector<std::string_view>> Lines(std::string_view text) {
  std::vector<std::vector<std::string_view>> lines;
  for (std::string_view line : Split(text, '\n')) {
    line = TrimSpace(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    std::vector<std::string_view> words;
    while (!line.empty()) {
      size_t end = std::min(line.find_first_of(" \t"), line.size());
      words.push_back(line.substr(0, end));
      line = TrimSpace(line.substr(end));
    }
    lines.push_back(std::move(words));
  }
  return lines;
}

bool IsNameserver(const std::vector<std::string_view>& words) {
  return words[0] == "nameserver" && words.size() >= 2;
}

bool IsLoopback(std::string_view server) {
  Result<Ipv4Address> address = Ipv4Address::Parse(server);
  return address.ok() ? address.value().IsLoopback() : server == "::1";
}

// Tasks speak IPv4 only.
bool IsUsable(std::string_view server) {
  Result<Ipv4Address> address = Ipv4Address::Parse(server);
  return address.ok() && !address.value().IsLoopback() && address.value().bits() != 0;
}

std::string JoinWords(const std::vector<std::string_view>& words) {
  std::string line;
  for (std::string_view word : words) line.append(line.empty() ? "" : " ").append(word);
  return line + "\n";
}

Result<std::string> ReadIfThere(const std::string& path) {
  Result<std::string> text = sys::ReadFile(AT_FDCWD, path, Bytes(kMaxResolverFile));
  if (!text.ok() && text.error().code() == Code::kNotFound) return std::string();
  return text;
}

}  // namespace

std::string FargateHostname(Ipv4Address address) {
  std::string digits = address.ToString();
  std::replace(digits.begin(), digits.end(), '.', '-');
  return "ip-" + digits + ".ec2.internal";
}

std::string HostnameText(const std::string& hostname) { return hostname + "\n"; }

std::string HostsText(Ipv4Address address, const std::string& hostname) {
  std::string line = address.ToString() + " " + hostname;
  size_t dot = hostname.find('.');
  if (dot != std::string::npos) line += " " + hostname.substr(0, dot);
  return std::string(kLocalLines) + line + "\n";
}

std::string LocalHostsText(const std::string& hostname) {
  return std::string(kLocalLines) + "127.0.0.1 " + hostname + "\n";
}

bool OnlyLoopbackNameservers(std::string_view host_resolv_conf) {
  size_t count = 0;
  for (const auto& words : Lines(host_resolv_conf)) {
    if (!IsNameserver(words)) continue;
    if (!IsLoopback(words[1])) return false;
    ++count;
  }
  return count > 0;
}

std::string ResolvText(std::string_view host_resolv_conf) {
  std::string text;
  size_t servers = 0;
  for (const auto& words : Lines(host_resolv_conf)) {
    bool is_setting = words[0] == "search" || words[0] == "domain" || words[0] == "options";
    bool is_server = IsNameserver(words) && IsUsable(words[1]) && servers < kMaxNameservers;
    if (is_server) ++servers;
    if (is_setting || is_server) text += JoinWords(words);
  }
  if (servers == 0) text += "# no nameserver: the host has none that a task could reach\n";
  return text;
}

Result<std::string> LoadHostResolver(const std::string& root) {
  std::string base = root == "/" ? "" : root;
  std::string text = TRY(ReadIfThere(base + "/etc/resolv.conf"));
  if (!OnlyLoopbackNameservers(text)) return text;
  std::string upstream = TRY(ReadIfThere(base + "/run/systemd/resolve/resolv.conf"));
  return upstream.empty() ? text : upstream;
}

}  // namespace skiff::networking
