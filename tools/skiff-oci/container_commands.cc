#include <memory>

#include "isolation/oci/exec.h"
#include "networking/moved_links.h"
#include "tools/skiff-oci/commands.h"

namespace skiff::oci_tool {
namespace {

namespace oci = skiff::isolation::oci;

struct RunArguments {
  oci::RunOptions options;
  bool is_detached = false;
  bool no_new_keyring = false;
  bool no_subreaper = false;
};

Result<oci::MoveBack> MoveNetDevices(const std::vector<oci::NetDevice>& devices,
                                     int network_namespace) {
  std::vector<networking::LinkMove> moves;
  for (const oci::NetDevice& device : devices) moves.push_back({device.name, device.new_name});
  networking::MovedLinks moved = TRY(networking::MovedLinks::Move(moves, network_namespace));
  auto kept = std::make_shared<networking::MovedLinks>(std::move(moved));
  return oci::MoveBack([kept] { return kept->MoveBack(); });
}

void RunContainer(RunArguments* arguments, oci::RunMode mode, Session* session) {
  oci::RunOptions& options = arguments->options;
  options.context = session->context;
  options.mode = arguments->is_detached ? oci::RunMode::kDetached : mode;
  options.move_net_devices = MoveNetDevices;
  options.new_keyring = !arguments->no_new_keyring;
  int failure_code = oci::kRunFailed;
  Result<int> code = oci::Run(options, &failure_code);
  session->status = code.ok() ? code.value() : failure_code;
  if (!code.ok()) session->Report("error", code.error().message());
}

void AddMakersFlags(CLI::App* command, const std::shared_ptr<RunArguments>& arguments) {
  oci::RunOptions& options = arguments->options;
  command->add_option("-b,--bundle", options.bundle, "Directory that holds config.json")
      ->default_val(".");
  command->add_option("-f,--config", options.config, "Configuration, from the bundle's directory")
      ->default_val("config.json");
  command->add_option("--pid-file", options.pid_file,
                      "File to write the number of the container's process to");
  command->add_option("--console-socket", options.console_socket,
                      "Socket that the terminal's descriptor is sent to");
  command->add_option("--preserve-fds", options.preserved_descriptors,
                      "Descriptors from 3 on that the container gets");
  command->add_flag("--no-pivot", options.moves_root,
                    "Move the root onto the host's instead of pivot_root, which a ramfs does not "
                    "know; weaker");
  command->add_flag("--no-new-keyring", arguments->no_new_keyring,
                    "Keep the caller's session keyring");
  command->add_flag("--no-subreaper", arguments->no_subreaper,
                    "As it always is: orphans go to the caller's own reaper");
  command->add_option("CONTAINER_ID", options.id, "Name of the container")->required();
}

void AddCreate(CLI::App* command, Session* session) {
  auto arguments = std::make_shared<RunArguments>();
  AddMakersFlags(command, arguments);
  command->callback([=] { RunContainer(arguments.get(), oci::RunMode::kCreate, session); });
}

void AddRun(CLI::App* command, Session* session) {
  auto arguments = std::make_shared<RunArguments>();
  AddMakersFlags(command, arguments);
  command->add_flag("-d,--detach", arguments->is_detached, "Do not wait for the container");
  command->add_flag("--keep", arguments->options.keeps_state,
                    "Keep the state of a container that has ended");
  command->callback([=] { RunContainer(arguments.get(), oci::RunMode::kForeground, session); });
}

void AddExec(CLI::App* command, Session* session) {
  auto options = std::make_shared<oci::ExecOptions>();
  command->add_option("-p,--process", options->process_file, "File with the process as JSON");
  command->add_option("-c,--cap", options->capabilities, "One more capability (repeatable)")
      ->allow_extra_args(false);
  command->add_option("-e,--env", options->environment, "NAME=value (repeatable)")
      ->allow_extra_args(false);
  command->add_option("-u,--user", options->user, "UID[:GID]");
  command->add_option("--cwd", options->working_directory, "Working directory");
  command
      ->add_option("-g,--additional-gids", options->additional_gids, "One more group (repeatable)")
      ->allow_extra_args(false);
  command
      ->add_option("--cgroup", options->cgroups,
                   "Group below the container's, [CONTROLLER,...:]PATH (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--ignore-paused", options->ignores_pause,
                    "In a paused container: wait inside until it is resumed");
  command->add_option("--apparmor", options->apparmor_profile,
                      "Profile of AppArmor instead of the container's");
  command->add_option("--process-label", options->selinux_label,
                      "Label of SELinux instead of the container's");
  command->add_option("--pid-file", options->pid_file, "File to write the process's number to");
  command->add_option("--console-socket", options->console_socket,
                      "Socket that the terminal's descriptor is sent to");
  command->add_option("--preserve-fds", options->preserved_descriptors,
                      "Descriptors from 3 on that the process gets");
  command->add_flag("-t,--tty", options->has_terminal, "With a terminal");
  command->add_flag("-d,--detach", options->is_detached, "Do not wait for it");
  command->add_flag("--no-new-privs", options->no_new_privileges, "Set no_new_privs");
  command->add_option("CONTAINER_ID", options->id, "Name of the container")->required();
  command->prefix_command();
  command->callback([=] {
    options->context = session->context;
    options->arguments = command->remaining();
    if (!options->arguments.empty() && options->arguments[0] == "--")
      options->arguments.erase(options->arguments.begin());
    int failure_code = 255;
    Result<int> code = oci::Exec(*options, &failure_code);
    session->status = code.ok() ? code.value() : failure_code;
    if (!code.ok()) session->Report("error", code.error().message());
  });
}

constexpr Command kCommands[] = {
    {"create", "Make a container that waits for start", AddCreate},
    {"run", "Run a container, in the foreground unless detached", AddRun},
    {"exec", "Run a process in a running container", AddExec}};

}  // namespace

std::span<const Command> ContainerCommands() { return kCommands; }

}  // namespace skiff::oci_tool
