#include "launcher/accelerator.h"

#include <gmock/gmock.h>

namespace gatehouse::launcher {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr KvmState kUsable{true, true, true};

TEST(Accelerator, KvmIsTakenOnlyWhereEverythingOfItIsThere) {
  const auto best = select_accelerator(AcceleratorChoice::automatic, kUsable);
  ASSERT_TRUE(best);
  EXPECT_EQ(best->accelerator, Accelerator::kvm);
  EXPECT_THAT(best->notice, IsEmpty());
}

TEST(Accelerator, FallsBackToTcgAndSaysWhy) {
  const std::pair<KvmState, const char*> cases[] = {
      {{true, true, false}, "neither vmx nor svm"},
      {{false, false, true}, "there is no /dev/kvm"},
      {{true, false, true}, "may not be read and written by this user"},
  };
  for (const auto& [state, why] : cases) {
    const auto fallback = select_accelerator(AcceleratorChoice::automatic, state);
    ASSERT_TRUE(fallback);
    EXPECT_EQ(fallback->accelerator, Accelerator::tcg);
    EXPECT_THAT(fallback->notice, HasSubstr(why));

    const auto insisted = select_accelerator(AcceleratorChoice::kvm, state);
    ASSERT_FALSE(insisted);
    EXPECT_THAT(insisted.error().message(), HasSubstr(why));
  }
}

TEST(Accelerator, TcgCanBeChosenWithoutANotice) {
  const auto tcg = select_accelerator(AcceleratorChoice::tcg, kUsable);
  ASSERT_TRUE(tcg);
  EXPECT_EQ(tcg->accelerator, Accelerator::tcg);
  EXPECT_THAT(tcg->notice, IsEmpty());
}

TEST(Accelerator, CpuFlagsAreReadAsWholeWords) {
  EXPECT_TRUE(shows_virtualization("processor\t: 0\nflags\t\t: fpu vmx sse\n"));
  EXPECT_TRUE(shows_virtualization("flags\t\t: fpu svm"));
  EXPECT_FALSE(shows_virtualization("flags\t\t: fpu svm_lock xvmx\n"));
  EXPECT_FALSE(shows_virtualization("vmx flags\t: vnmi vmx \n"));
  EXPECT_FALSE(shows_virtualization(""));
}

TEST(Accelerator, AnUnknownWordIsRefused) {
  EXPECT_EQ(parse_accelerator("hvf").error().message(), "'hvf' is no accelerator: auto, kvm or tcg");
}

}  // namespace
}  // namespace gatehouse::launcher
