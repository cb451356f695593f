print("needs a package")
import a_package_that_nobody_has
