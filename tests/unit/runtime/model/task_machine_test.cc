#include "runtime/model/task_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace skiff::runtime {
namespace {

using input::Begin;
using input::ContainerExited;
using input::ContainerHealthy;
using input::ContainerStarted;
using input::ContainerStartFailed;
using input::StartTimeout;
using input::StopRequested;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using enum DependencyCondition;

Action Start(std::string name) { return StartContainer{std::move(name)}; }
Action Stop(std::string name) { return StopContainer{std::move(name)}; }
const Action kFinish = FinishTask{};

// Begins, and answers every start with success until nothing more may start.
void BeginAndStartAll(TaskMachine& machine) {
  std::vector<Action> actions = machine.On(Begin{});
  while (!actions.empty()) {
    std::vector<Action> next;
    for (const Action& action : actions) {
      for (Action& more : machine.On(ContainerStarted{std::get<StartContainer>(action).name})) {
        next.push_back(std::move(more));
      }
    }
    actions = std::move(next);
  }
}

TEST(TaskMachineTest, IndependentContainersStartTogether) {
  TaskMachine machine({{"web", true, {}}, {"sidecar", false, {}}});
  EXPECT_THAT(machine.On(Begin{}), ElementsAre(Start("web"), Start("sidecar")));
  EXPECT_FALSE(machine.is_running());
  EXPECT_THAT(machine.On(ContainerStarted{"web"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerStarted{"sidecar"}), IsEmpty());
  EXPECT_TRUE(machine.is_running());
}

TEST(TaskMachineTest, NothingHappensBeforeTheBeginning) {
  TaskMachine machine({{"web", true, {}}});
  EXPECT_THAT(machine.On(ContainerStarted{"web"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerExited{"nobody", 1}), IsEmpty());
}

TEST(TaskMachineTest, EssentialContainerExitStopsTheOthers) {
  TaskMachine machine({{"web", true, {}}, {"sidecar", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(ContainerExited{"web", 1}), ElementsAre(Stop("sidecar")));
  EXPECT_EQ(machine.stop_cause(),
            (StopCause{StopCode::kEssentialContainerExited, "Essential container in task exited"}));
  EXPECT_THAT(machine.On(ContainerExited{"sidecar", 143}), ElementsAre(kFinish));
  EXPECT_EQ(machine.exit_code(), 1);
  EXPECT_FALSE(machine.is_running());
}

TEST(TaskMachineTest, ExitOfAContainerThatIsNotEssentialLeavesTheTaskRunning) {
  TaskMachine machine({{"web", true, {}}, {"sidecar", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(ContainerExited{"sidecar", 1}), IsEmpty());
  EXPECT_TRUE(machine.is_running());
  EXPECT_FALSE(machine.stop_cause().has_value());
}

TEST(TaskMachineTest, ExitCodeIsThatOfTheEssentialContainerThatExitedFirst) {
  TaskMachine machine({{"a", true, {}}, {"b", true, {}}});
  BeginAndStartAll(machine);
  machine.On(ContainerExited{"b", 3});
  EXPECT_THAT(machine.On(ContainerExited{"a", 143}), ElementsAre(kFinish));
  EXPECT_EQ(machine.exit_code(), 3);
}

TEST(TaskMachineTest, ConditionsHoldADependentBack) {
  TaskMachine machine({{"app", true, {{"db", kHealthy}, {"migrate", kSuccess}, {"log", kStart}}},
                       {"db", true, {}},
                       {"migrate", false, {{"db", kStart}}},
                       {"log", false, {}}});
  EXPECT_THAT(machine.On(Begin{}), ElementsAre(Start("db"), Start("log")));
  EXPECT_THAT(machine.On(ContainerStarted{"db"}), ElementsAre(Start("migrate")));
  EXPECT_THAT(machine.On(ContainerStarted{"log"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerStarted{"migrate"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerExited{"migrate", 0}), IsEmpty());
  EXPECT_FALSE(machine.is_running());
  EXPECT_THAT(machine.On(ContainerHealthy{"db"}), ElementsAre(Start("app")));
  machine.On(ContainerStarted{"app"});
  EXPECT_TRUE(machine.is_running());
}

TEST(TaskMachineTest, CompleteAcceptsAnyExitCodeAndSuccessOnlyZero) {
  TaskMachine complete({{"app", true, {{"init", kComplete}}}, {"init", false, {}}});
  BeginAndStartAll(complete);
  EXPECT_THAT(complete.On(ContainerExited{"init", 7}), ElementsAre(Start("app")));

  TaskMachine success({{"app", true, {{"init", kSuccess}}}, {"init", false, {}}});
  BeginAndStartAll(success);
  EXPECT_THAT(success.On(ContainerExited{"init", 7}), ElementsAre(kFinish));
  EXPECT_EQ(success.stop_cause()->code, StopCode::kTaskFailedToStart);
  EXPECT_EQ(success.stop_cause()->reason,
            "Task dependencies cannot be resolved: container app waits for init to reach SUCCESS, "
            "which did not happen and no longer can");
}

TEST(TaskMachineTest, HealthyCanNoLongerBeReachedAfterTheExit) {
  TaskMachine machine({{"app", true, {{"db", kHealthy}}}, {"db", false, {}}, {"x", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(ContainerExited{"db", 0}), ElementsAre(Stop("x")));
  EXPECT_THAT(machine.stop_cause()->reason, HasSubstr("waits for db to reach HEALTHY"));
}

TEST(TaskMachineTest, FailedStartOfAnEssentialContainerFailsTheTask) {
  TaskMachine machine({{"web", true, {}}, {"sidecar", false, {}}});
  machine.On(Begin{});
  machine.On(ContainerStarted{"sidecar"});
  EXPECT_THAT(machine.On(ContainerStartFailed{"web", 127, "exec nginx: no such file"}),
              ElementsAre(Stop("sidecar")));
  EXPECT_EQ(machine.stop_cause(),
            (StopCause{StopCode::kTaskFailedToStart,
                       "CannotStartContainerError: exec nginx: no such file"}));
  EXPECT_THAT(machine.On(ContainerExited{"sidecar", 0}), ElementsAre(kFinish));
  EXPECT_EQ(machine.exit_code(), 127);
}

TEST(TaskMachineTest, ReasonThatNamesItsErrorIsKeptAsItIs) {
  TaskMachine machine({{"web", true, {}}});
  machine.On(Begin{});
  machine.On(ContainerStartFailed{"web", std::nullopt, "ResourceInitializationError: no space"});
  EXPECT_EQ(machine.stop_cause()->reason, "ResourceInitializationError: no space");
  EXPECT_EQ(machine.exit_code(), std::nullopt);
}

TEST(TaskMachineTest, FailedStartOfASidecarMattersOnlyToThoseThatDependOnIt) {
  TaskMachine alone({{"web", true, {}}, {"sidecar", false, {}}});
  alone.On(Begin{});
  alone.On(ContainerStarted{"web"});
  EXPECT_THAT(alone.On(ContainerStartFailed{"sidecar", 127, "no"}), IsEmpty());
  EXPECT_TRUE(alone.is_running());

  TaskMachine needed({{"web", true, {{"sidecar", kComplete}}}, {"sidecar", false, {}}});
  needed.On(Begin{});
  EXPECT_THAT(needed.On(ContainerStartFailed{"sidecar", 127, "no"}), ElementsAre(kFinish));
  EXPECT_THAT(needed.stop_cause()->reason, HasSubstr("Task dependencies cannot be resolved"));
}

TEST(TaskMachineTest, StopGoesInReverseOrderOfDependency) {
  TaskMachine machine({{"db", true, {}},
                       {"app", true, {{"db", kStart}}},
                       {"proxy", true, {{"app", kStart}}},
                       {"log", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(StopRequested{"deploying"}), ElementsAre(Stop("proxy"), Stop("log")));
  EXPECT_THAT(machine.On(ContainerExited{"log", 0}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerExited{"proxy", 0}), ElementsAre(Stop("app")));
  EXPECT_THAT(machine.On(ContainerExited{"app", 0}), ElementsAre(Stop("db")));
  EXPECT_THAT(machine.On(ContainerExited{"db", 0}), ElementsAre(kFinish));
  EXPECT_EQ(machine.stop_cause(), (StopCause{StopCode::kUserInitiated, "deploying"}));
  EXPECT_EQ(machine.exit_code(), 0);
}

TEST(TaskMachineTest, StopWithoutAReasonHasTheUsualOne) {
  TaskMachine machine({{"web", true, {}}});
  BeginAndStartAll(machine);
  machine.On(StopRequested{});
  EXPECT_EQ(machine.stop_cause()->reason, "Task stopped by user");
}

TEST(TaskMachineTest, FirstCauseWins) {
  TaskMachine machine({{"a", true, {}}, {"b", true, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(ContainerExited{"a", 9}), ElementsAre(Stop("b")));
  EXPECT_THAT(machine.On(StopRequested{"too late"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerExited{"b", 0}), ElementsAre(kFinish));
  EXPECT_EQ(machine.stop_cause()->code, StopCode::kEssentialContainerExited);
}

TEST(TaskMachineTest, StopDuringAStartWaitsForItsOutcome) {
  TaskMachine machine({{"web", true, {}}, {"late", true, {{"web", kStart}}}});
  machine.On(Begin{});
  EXPECT_THAT(machine.On(StopRequested{}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerStarted{"web"}), ElementsAre(Stop("web")));
  EXPECT_THAT(machine.On(ContainerExited{"web", 143}), ElementsAre(kFinish));
}

TEST(TaskMachineTest, FailedStartWhileStoppingDoesNotReplaceTheCause) {
  TaskMachine machine({{"web", true, {}}});
  machine.On(Begin{});
  machine.On(StopRequested{});
  EXPECT_THAT(machine.On(ContainerStartFailed{"web", 127, "no"}), ElementsAre(kFinish));
  EXPECT_EQ(machine.stop_cause()->code, StopCode::kUserInitiated);
}

TEST(TaskMachineTest, StopBeforeTheBeginningFinishesAtOnce) {
  TaskMachine machine({{"web", true, {}}});
  EXPECT_THAT(machine.On(StopRequested{}), ElementsAre(kFinish));
  EXPECT_THAT(machine.On(Begin{}), IsEmpty());
}

TEST(TaskMachineTest, StartTimeoutMattersOnlyWhileAnotherWaits) {
  TaskMachine machine({{"app", true, {{"init", kComplete}}}, {"init", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(StartTimeout{"app"}), IsEmpty());
  EXPECT_THAT(machine.On(StartTimeout{"init"}), ElementsAre(Stop("init")));
  EXPECT_EQ(machine.stop_cause()->code, StopCode::kTaskFailedToStart);
  EXPECT_THAT(machine.stop_cause()->reason, HasSubstr("within its startTimeout"));

  TaskMachine done({{"app", true, {{"init", kComplete}}}, {"init", false, {}}});
  BeginAndStartAll(done);
  done.On(ContainerExited{"init", 0});
  EXPECT_THAT(done.On(StartTimeout{"init"}), IsEmpty());
}

TEST(TaskMachineTest, CirclesAndUnknownNamesEndTheTaskInsteadOfWaiting) {
  TaskMachine circle({{"a", true, {{"b", kStart}}}, {"b", true, {{"a", kStart}}}});
  EXPECT_THAT(circle.On(Begin{}), ElementsAre(kFinish));
  EXPECT_THAT(circle.stop_cause()->reason, HasSubstr("in a circle of waiting"));

  TaskMachine unknown({{"a", true, {{"ghost", kStart}}}});
  EXPECT_THAT(unknown.On(Begin{}), ElementsAre(kFinish));
  EXPECT_EQ(unknown.exit_code(), std::nullopt);
}

TEST(TaskMachineTest, RepeatedAndUnknownReportsChangeNothing) {
  TaskMachine machine({{"a", true, {}}, {"b", false, {}}});
  BeginAndStartAll(machine);
  EXPECT_THAT(machine.On(ContainerStarted{"a"}), IsEmpty());
  EXPECT_THAT(machine.On(ContainerExited{"ghost", 1}), IsEmpty());
  machine.On(ContainerExited{"a", 1});
  EXPECT_THAT(machine.On(ContainerExited{"a", 2}), IsEmpty());
  machine.On(ContainerExited{"b", 0});
  EXPECT_TRUE(machine.is_finished());
  EXPECT_THAT(machine.On(ContainerExited{"b", 0}), IsEmpty());
  EXPECT_EQ(machine.exit_code(), 1);
}

// A world of containers that behave at random, within the contract. It checks what must hold after
// every step and that the task comes to its end.
class RandomWorld {
 public:
  explicit RandomWorld(uint32_t seed) : random_(seed), rules_(RandomRules()), machine_(rules_) {}

  void Run() {
    Take(machine_.On(Begin{}));
    for (int step = 0; step < kMaxSteps && !machine_.is_finished(); ++step) Step();
    ASSERT_TRUE(machine_.is_finished());
    EXPECT_EQ(finishes_, 1);
    EXPECT_TRUE(starting_.empty());
    EXPECT_TRUE(running_.empty());
    EXPECT_TRUE(machine_.stop_cause().has_value());
    EXPECT_THAT(machine_.On(StopRequested{}), IsEmpty());
  }

 private:
  static constexpr int kMaxSteps = 2000;

  uint32_t Below(size_t n) { return static_cast<uint32_t>(random_() % n); }

  // Edges go from later to earlier names, so there is no circle; now and then one is put in.
  std::vector<ContainerRule> RandomRules() {
    std::vector<ContainerRule> rules(1 + Below(10));
    for (size_t i = 0; i < rules.size(); ++i) {
      rules[i].name = "c" + std::to_string(i);
      rules[i].essential = Below(2) == 0;
      for (size_t j = 0; j < i; ++j) {
        if (Below(4) == 0) rules[i].depends_on.push_back({"c" + std::to_string(j), Condition()});
      }
    }
    if (Below(10) == 0) {
      rules[0].depends_on.push_back({"c" + std::to_string(Below(rules.size())), Condition()});
    }
    std::shuffle(rules.begin(), rules.end(), random_);
    return rules;
  }
  DependencyCondition Condition() { return static_cast<DependencyCondition>(Below(4)); }

  static std::string PickFrom(const std::set<std::string>& names, uint32_t index) {
    return *std::next(names.begin(), index);
  }

  void Step() {
    // Never an empty choice: with nothing alive, the machine would have to be finished.
    ASSERT_FALSE(starting_.empty() && running_.empty()) << "stuck: nothing is alive";
    uint32_t dice = Below(40);
    if (dice == 0) return Take(machine_.On(StopRequested{}));
    if (dice == 1) return Take(machine_.On(StartTimeout{"c" + std::to_string(Below(10))}));
    if (dice < 8 && !running_.empty()) {
      return Take(machine_.On(ContainerHealthy{PickFrom(running_, Below(running_.size()))}));
    }
    if (!starting_.empty() && (running_.empty() || dice < 25)) return Answer();
    std::string name = PickFrom(running_, Below(running_.size()));
    // A container that nobody stopped mostly keeps running.
    if (!stopped_.contains(name) && Below(8) != 0) return;
    running_.erase(name);
    Take(machine_.On(ContainerExited{name, Below(3) == 0 ? 0 : 1}));
  }

  void Answer() {
    std::string name = PickFrom(starting_, Below(starting_.size()));
    starting_.erase(name);
    if (Below(6) == 0) return Take(machine_.On(ContainerStartFailed{name, 127, "no"}));
    running_.insert(name);
    Take(machine_.On(ContainerStarted{name}));
  }

  void Take(const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      ASSERT_EQ(finishes_, 0) << "an action after FinishTask";
      std::visit([this](const auto& what) { Do(what); }, action);
    }
  }
  void Do(const StartContainer& start) {
    EXPECT_FALSE(machine_.stop_cause().has_value()) << "started while stopping";
    EXPECT_TRUE(ever_started_.insert(start.name).second) << "started twice";
    starting_.insert(start.name);
  }
  void Do(const StopContainer& stop) {
    EXPECT_TRUE(running_.contains(stop.name)) << "stopped what does not run";
    EXPECT_TRUE(stopped_.insert(stop.name).second) << "stopped twice";
    for (const ContainerRule& rule : rules_) {
      bool is_alive = running_.contains(rule.name) || starting_.contains(rule.name);
      for (const DependsOn& dependency : rule.depends_on) {
        EXPECT_FALSE(is_alive && dependency.container_name == stop.name)
            << stop.name << " stopped before " << rule.name;
      }
    }
  }
  void Do(const FinishTask&) {
    ++finishes_;
    EXPECT_TRUE(starting_.empty() && running_.empty());
  }

  std::mt19937 random_;
  std::vector<ContainerRule> rules_;
  TaskMachine machine_;
  std::set<std::string> starting_, running_, stopped_, ever_started_;
  int finishes_ = 0;
};

TEST(TaskMachineTest, EveryTaskEndsWhateverItsContainersDo) {
  for (uint32_t seed = 0; seed < 5000; ++seed) {
    SCOPED_TRACE(seed);
    RandomWorld(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace skiff::runtime
