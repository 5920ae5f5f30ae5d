#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "isolation/base/log.h"
#include "runtime/api/ecs_account_settings.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

struct Setting {
  std::string_view name;
  std::string_view fallback;                // ECS's own
  std::array<std::string_view, 3> allowed;  // "" where there are fewer
};

constexpr std::array<std::string_view, 3> kSwitch = {"enabled", "disabled", ""};

// By name: the order they are listed in.
constexpr std::array<Setting, 10> kSettings = {{
    {"awsvpcTrunking", "disabled", kSwitch},
    {"containerInsights", "disabled", {"enabled", "disabled", "enhanced"}},
    {"containerInstanceLongArnFormat", "enabled", kSwitch},
    {"defaultLogDriverMode", "non-blocking", {"blocking", "non-blocking", ""}},
    {"fargateFIPSMode", "disabled", kSwitch},
    {"fargateTaskRetirementWaitPeriod", "7", {"0", "7", "14"}},
    {"guardDutyActivate", "off", {"on", "off", ""}},
    {"serviceLongArnFormat", "enabled", kSwitch},
    {"tagResourceAuthorization", "off", {"on", "off", ""}},
    {"taskLongArnFormat", "enabled", kSwitch},
}};

const Setting* FindSetting(std::string_view name) {
  auto found = std::find_if(kSettings.begin(), kSettings.end(),
                            [&](const Setting& setting) { return setting.name == name; });
  return found == kSettings.end() ? nullptr : &*found;
}

std::string RootArn(const ControlSettings& settings) {
  return "arn:aws:iam::" + settings.account_id + ":root";
}

Json SettingJson(std::string_view name, std::string_view value, std::string_view principal) {
  return {{"setting", {{"name", name}, {"value", value}, {"principalArn", principal}}}};
}

// Its value is of the service, not the user's to choose.
bool IsManaged(std::string_view name) { return name == "guardDutyActivate"; }

Result<const Setting*> SettingIn(const JsonCursor& input) {
  JsonCursor member = TRY(input.Get("name"));
  std::string name = TRY(member.String());
  const Setting* setting = FindSetting(name);
  if (setting == nullptr) {
    std::string names;
    for (const Setting& known : kSettings) {
      names += (names.empty() ? "" : ",") + std::string(known.name);
    }
    return InvalidParameter(name + " should be one of [" + names + "]");
  }
  return setting;
}

Result<std::string> ValueIn(const JsonCursor& input, const Setting& setting) {
  JsonCursor member = TRY(input.Get("value"));
  std::string value = TRY(member.String());
  if (IsManaged(setting.name)) {
    return InvalidParameter(std::string(setting.name) + ": this setting cannot be changed");
  }
  bool is_allowed = !value.empty() && std::find(setting.allowed.begin(), setting.allowed.end(),
                                                value) != setting.allowed.end();
  if (is_allowed) return value;
  return InvalidParameter("value: \"" + value + "\" is not a value of " +
                          std::string(setting.name));
}

// A setting without an effect here is kept, as ECS keeps it, and said in the log.
void WarnOfNoEffect(std::string_view name, std::string_view value) {
  if (name == "containerInsights" || value == FindSetting(name)->fallback) return;
  Log(LogLevel::kWarning, "account setting " + std::string(name) + "=" + std::string(value) +
                              " is kept and has no effect on this host");
}

}  // namespace

Result<std::string> EffectiveAccountSetting(Store& store, const std::string& principal,
                                            const ControlSettings& settings,
                                            const std::string& name) {
  for (const std::string& who : {principal, RootArn(settings)}) {
    std::optional<StoredRecord> stored = TRY(store.Get(keys::AccountSetting(who, name)));
    if (stored) return stored->value;
  }
  const Setting* setting = FindSetting(name);
  return std::string(setting == nullptr ? "" : setting->fallback);
}

Result<std::string> EcsAccountSettings::Keep(const Call& call, const std::string& principal) {
  const Setting* setting = TRY(SettingIn(call.input));
  std::string value = TRY(ValueIn(call.input, *setting));
  std::string key = keys::AccountSetting(principal, setting->name);
  TRY(store_.Commit({{key, value, std::nullopt}}, Durability::kAccepted));
  WarnOfNoEffect(setting->name, value);
  return EncodeJson(SettingJson(setting->name, value, principal));
}

Result<std::string> EcsAccountSettings::Put(const Call& call) {
  TRY(RefuseUnknown(call.input, {"name", "value", "principalArn"}));
  std::string principal = TRY(TextIn(call.input, "principalArn", call.caller.arn));
  return Keep(call, principal);
}

Result<std::string> EcsAccountSettings::PutDefault(const Call& call) {
  TRY(RefuseUnknown(call.input, {"name", "value"}));
  return Keep(call, RootArn(settings_));
}

Result<std::string> EcsAccountSettings::Delete(const Call& call) {
  TRY(RefuseUnknown(call.input, {"name", "principalArn"}));
  const Setting* setting = TRY(SettingIn(call.input));
  std::string principal = TRY(TextIn(call.input, "principalArn", call.caller.arn));
  std::string key = keys::AccountSetting(principal, setting->name);
  std::optional<StoredRecord> stored = TRY(store_.Get(key));
  if (stored) {
    TRY(store_.Commit({{key, std::nullopt, stored->version}}, Durability::kAccepted));
  }
  // What holds from now on.
  std::string value =
      TRY(EffectiveAccountSetting(store_, principal, settings_, std::string(setting->name)));
  return EncodeJson(SettingJson(setting->name, value, principal));
}

Result<std::string> EcsAccountSettings::List(const Call& call) {
  TRY(RefuseUnknown(call.input, {"name", "value", "principalArn", "effectiveSettings", "maxResults",
                                 "nextToken"}));
  PageRequest page = TRY(ReadPage(call.input));
  std::optional<JsonCursor> named = TRY(call.input.Find("name"));
  std::string only;
  if (named) {
    const Setting* setting = TRY(SettingIn(call.input));
    only = setting->name;
  }
  std::string value_wanted = TRY(TextIn(call.input, "value", ""));
  std::string principal = TRY(TextIn(call.input, "principalArn", call.caller.arn));
  bool is_effective = TRY(FlagIn(call.input, "effectiveSettings"));
  Json answer = {{"settings", Json::array()}};
  for (const Setting& setting : kSettings) {
    std::string name(setting.name);
    if (name <= page.after || (!only.empty() && name != only)) continue;
    std::optional<StoredRecord> own = TRY(store_.Get(keys::AccountSetting(principal, name)));
    if (!own && !is_effective) continue;
    // Its own value when there is one.
    std::string value = TRY(EffectiveAccountSetting(store_, principal, settings_, name));
    if (!value_wanted.empty() && value != value_wanted) continue;
    Json& list = answer["settings"];
    if (list.size() == page.size) {
      answer["nextToken"] = NextToken(list.back()["name"].get<std::string>());
      break;
    }
    list.push_back(SettingJson(name, value, principal)["setting"]);
  }
  return EncodeJson(answer);
}

void EcsAccountSettings::AddTo(OperationTable& table) {
  table.operations["PutAccountSetting"] = {[this](const Call& call) { return Put(call); }};
  table.operations["PutAccountSettingDefault"] = {
      [this](const Call& call) { return PutDefault(call); }};
  table.operations["ListAccountSettings"] = {[this](const Call& call) { return List(call); }};
  table.operations["DeleteAccountSetting"] = {[this](const Call& call) { return Delete(call); }};
}

}  // namespace skiff::runtime::api
