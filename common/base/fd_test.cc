#include "common/base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace gatehouse {
namespace {

TEST(StandardDescriptors, AreTakenBeforeAnyFileCanHaveTheirNumbers) {
  EXPECT_EXIT(
      {
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(fd);
        hold_standard_descriptors();
        const int next = ::open("/dev/null", O_RDONLY);
        char byte = 0;
        ::_exit(next > STDERR_FILENO && ::read(STDIN_FILENO, &byte, 1) == 0 && ::write(STDERR_FILENO, "x", 1) == 1 ? 7
                                                                                                                   : 1);
      },
      testing::ExitedWithCode(7), "");
}

TEST(StandardDescriptors, AreLeftAloneWhenOpen) {
  EXPECT_EXIT(
      {
        hold_standard_descriptors();
        (void)!::write(STDERR_FILENO, "still here", 10);
        ::_exit(7);
      },
      testing::ExitedWithCode(7), "still here");
}

}  // namespace
}  // namespace gatehouse
