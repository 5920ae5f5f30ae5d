#include <algorithm>

#include "isolation/base/json.h"
#include "isolation/oci/config_parts.h"

// linux.netDevices.
namespace skiff::isolation::oci {
namespace {

// dev_valid_name() of the kernel, and no %, which stands for more than itself there.
bool IsInterfaceName(std::string_view name) {
  constexpr size_t kMaxName = 15;  // IFNAMSIZ less the NUL
  constexpr std::string_view kForbidden("/:%\0 \t\n\v\f\r", 10);
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find_first_of(kForbidden) == std::string_view::npos;
}

// A name, or one with a %d for a number of the kernel's choice.
bool IsNameOrTemplate(std::string name) {
  size_t number = name.find("%d");
  if (number != std::string::npos) name.replace(number, 2, "00");
  return IsInterfaceName(name);
}

Result<NetDevice> ParseNetDevice(const std::string& name, const JsonCursor& cursor) {
  NetDevice device;
  device.name = name;
  std::optional<JsonCursor> new_name = TRY(cursor.Find("name"));
  if (!IsInterfaceName(name)) return cursor.Invalid("is not the name of a network device");
  if (!new_name) return device;
  device.new_name = TRY(new_name->String());
  if (!device.new_name.empty() && !IsNameOrTemplate(device.new_name))
    return new_name->Invalid("'" + device.new_name + "' is not a name for a network device");
  return device;
}

}  // namespace

Result<> ParseNetDevices(const JsonCursor& linux_section, Config* config) {
  std::optional<JsonCursor> devices = TRY(linux_section.Find("netDevices"));
  if (!devices) return {};
  auto members = TRY(devices->Members());
  for (const auto& [name, cursor] : members) {
    NetDevice device = TRY(ParseNetDevice(name, cursor));
    const std::string& inside = device.new_name.empty() ? name : device.new_name;
    bool is_taken =
        inside.find('%') == std::string::npos &&
        std::any_of(config->net_devices.begin(), config->net_devices.end(),
                    [&](const NetDevice& other) {
                      return (other.new_name.empty() ? other.name : other.new_name) == inside;
                    });
    if (is_taken) return cursor.Invalid("another device is to be " + inside + " as well");
    config->net_devices.push_back(std::move(device));
  }
  bool has_network = config->namespaces.contains(NamespaceType::kNetwork);
  if (config->net_devices.empty() || has_network) return {};
  // The end in runc's words, which its suite looks for.
  return devices->Invalid(
      "needs one of type network in linux.namespaces: unable to move network devices without a NET "
      "namespace");
}

}  // namespace skiff::isolation::oci
