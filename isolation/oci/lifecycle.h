// The commands on a container that exists. Each finds it by id below the root, and says precisely
// why it cannot be done in the container's present state.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/oci/config.h"
#include "isolation/oci/run.h"
#include "isolation/oci/state.h"
#include "isolation/systemd/scope.h"

namespace skiff::isolation::oci {

// Of the manager that a container's scope belongs to.
SystemdBus BusOf(const CommandContext& context, const State& state);

Result<State> FindContainer(const CommandContext& context, const std::string& id);
Result<std::vector<State>> FindContainers(const CommandContext& context);

// Lets a created container's program run: startContainer hooks first, poststart hooks after.
// `awaits_ready`: with NOTIFY_SOCKET set, returns when the container says that it is ready.
Result<> StartContainer(const CommandContext& context, const std::string& id,
                        bool awaits_ready = true);
// "KILL", "SIGKILL", "9".
Result<int> ParseSignal(const std::string& text);
Result<> KillContainer(const CommandContext& context, const std::string& id, int signal,
                       bool is_for_all);
// `is_forced`: also a running one, and one that does not exist.
Result<> DeleteContainer(const CommandContext& context, const std::string& id, bool is_forced);
Result<> FreezeContainer(const CommandContext& context, const std::string& id, bool is_frozen);
// Sets what `resources` names; the rest stays as it is. Device rules are refused.
Result<> UpdateContainer(const CommandContext& context, const std::string& id,
                         const Resources& resources);
Result<std::vector<int>> ContainerProcesses(const CommandContext& context, const std::string& id);

// Takes the container's root off its directory, where one without a mount namespace has it.
Result<> DetachRoot(const State& state);

// Their failures are warnings: the container has begun or ended already.
void RunPoststart(const CommandContext& context, const Config& config, const State& state);
void RunPoststop(const CommandContext& context, const Config& config, const State& state);

}  // namespace skiff::isolation::oci
