// ECS's account settings: PutAccountSetting, PutAccountSettingDefault, ListAccountSettings,
// DeleteAccountSetting.
//
// They are kept and shown by principal. One has an effect here: containerInsights is what a new
// cluster begins with. One thread: the server's.
#pragma once

#include <string>
#include <string_view>

#include "runtime/api/operation.h"
#include "runtime/control/settings.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

class EcsAccountSettings {
 public:
  // `store` outlives it.
  EcsAccountSettings(Store& store, const ControlSettings& settings)
      : store_(store), settings_(settings) {}
  // The table's operations must not outlive this.
  void AddTo(OperationTable& table);

 private:
  Result<std::string> Put(const Call& call);
  Result<std::string> PutDefault(const Call& call);
  Result<std::string> List(const Call& call);
  Result<std::string> Delete(const Call& call);
  Result<std::string> Keep(const Call& call, const std::string& principal);

  Store& store_;
  const ControlSettings settings_;
};

// What holds for `principal`: its own value, else the account's default, else ECS's.
Result<std::string> EffectiveAccountSetting(Store& store, const std::string& principal,
                                            const ControlSettings& settings,
                                            const std::string& name);

}  // namespace skiff::runtime::api
