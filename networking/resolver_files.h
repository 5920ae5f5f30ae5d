// The files by which a task's programs find names: /etc/resolv.conf, /etc/hosts, /etc/hostname.
// Pure, but for LoadHostResolver.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"

namespace skiff::networking {

// "ip-172-31-0-5.ec2.internal", as Fargate names a task's host.
std::string FargateHostname(Ipv4Address address);

std::string HostnameText(const std::string& hostname);

// The localhost lines, and the address with the long and the short name.
std::string HostsText(Ipv4Address address, const std::string& hostname);
// The same for a task without an address of its own (networkMode none).
std::string LocalHostsText(const std::string& hostname);

// What of the host's resolv.conf is of use inside a task: its nameservers that are no loopback
// address, its search and options lines. Without any nameserver the text is a comment saying so.
std::string ResolvText(std::string_view host_resolv_conf);

// True when every nameserver of the text is a loopback address (a resolver of the host's own).
bool OnlyLoopbackNameservers(std::string_view host_resolv_conf);

// The host's resolv.conf beneath `root` ("/" but in tests), or, when that names only the local
// systemd-resolved, the file in which it keeps the real servers. Absent files are an empty text.
Result<std::string> LoadHostResolver(const std::string& root);

}  // namespace skiff::networking
